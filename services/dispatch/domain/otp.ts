/**
 * The four digits a rider tells the driver at boarding.
 *
 * Invariant: after OTP_TRIES_MAX wrong tries not even the right digits board, so that 10,000 combinations cannot be walked
 * through. It draws no randomness of its own and stores nothing.
 */
import { timingSafeEqual } from 'node:crypto';
import { assert } from '../../../shared/kernel/assert.ts';

export const OTP_TRIES_MAX = 5;
const OTP_DIGITS = 4;

export type BoardingDecision = { readonly kind: 'match' } | { readonly kind: 'mismatch' | 'locked'; readonly triesLeft: number };

/** `randomBelow(n)` is uniform in [0, n) and unpredictable (crypto.randomInt). */
export function drawOtp(randomBelow: (limit: number) => number): string {
  return String(randomBelow(10 ** OTP_DIGITS)).padStart(OTP_DIGITS, '0');
}

/** `failures` are the wrong tries so far; a mismatch counts one more, a try at a locked ride none. */
export function decideBoarding(input: { otp: string; given: string; failures: number }): BoardingDecision {
  const { otp, given, failures } = input;
  assert(otp.length === OTP_DIGITS, 'a ride without OTP');
  if (failures >= OTP_TRIES_MAX) return { kind: 'locked', triesLeft: 0 };
  if (matches(otp, given)) return { kind: 'match' };
  return { kind: 'mismatch', triesLeft: OTP_TRIES_MAX - failures - 1 };
}

function matches(otp: string, given: string): boolean {
  const expected = Buffer.from(otp, 'utf8');
  const actual = Buffer.from(given, 'utf8');
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
