/**
 * Largest remainder: whole cents out of exact fractions, so that the parts sum to the whole.
 * Invariant: the result sums to `total`, and each part is its exact value rounded down or up, never further away.
 * It rounds nothing by itself: who calls decides the total (see fare.ts), this file only deals it out.
 */
import { assert } from '../../../shared/kernel/assert.ts';

/**
 * Deals `total` cents out over parts whose exact values are `exact[i] / scale` cents.
 * Each part gets its floor; the cents still missing go one each to the largest remainders, the earlier part first
 * among equals. Negative parts round towards minus infinity first, by the same rule (Hamilton's method).
 * `total` must be what the sum of the exact parts rounds to, up or down: anything else is a programmer's error.
 */
export function apportion(exact: readonly bigint[], scale: bigint, total: bigint): bigint[] {
  const floors = exact.map((part) => floorDivide(part, scale));
  const missing = total - floors.reduce((sum, part) => sum + part, 0n);
  const byRemainder = exact
    .map((part, index) => ({ index, remainder: part - floors[index]! * scale }))
    .filter((part) => part.remainder > 0n)
    .toSorted((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1));
  assert(missing >= 0n && missing <= BigInt(byRemainder.length), 'the total is not the rounded sum of its parts');
  const parts = [...floors];
  for (const { index } of byRemainder.slice(0, Number(missing))) parts[index]! += 1n;
  return parts;
}

/** The nearest whole number to numerator / denominator; exact halves go up (towards plus infinity). */
export function roundHalfUp(numerator: bigint, denominator: bigint): bigint {
  return floorDivide(2n * numerator + denominator, 2n * denominator);
}

function floorDivide(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  return numerator % denominator < 0n ? quotient - 1n : quotient;
}
