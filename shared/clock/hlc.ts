/**
 * A hybrid logical clock's reading as a value: 48 bits of milliseconds since 1970 and 16 bits of counter in one bigint.
 *
 * Invariant: comparing two readings as numbers compares them in causal order; a version (reading and origin) is never
 * equal to one written by another region. Reading a clock is hybrid-clock.ts's affair: nothing here knows the time.
 */
import { assert } from '../kernel/assert.ts';
import { TandemError } from '../kernel/tandem-error.ts';

declare const hlcBrand: unique symbol;
export type Hlc = bigint & { readonly [hlcBrand]: true };

/** Who wrote a row last, and when: the hlc, and the origin number of the region that wrote it. */
export interface Version {
  readonly hlc: Hlc;
  readonly origin: number;
}

export const COUNTER_BITS = 16n;
export const COUNTER_MAX = 2 ** 16 - 1;
/** The year 10889. */
export const HLC_MS_MAX = 2 ** 48 - 1;

const COUNTER_MASK = BigInt(COUNTER_MAX);
const HLC_MAX = 2n ** 64n - 1n;

/** @param ms whole milliseconds since 1970, up to HLC_MS_MAX; @param counter 0 to COUNTER_MAX */
export function packHlc(ms: number, counter: number): Hlc {
  assert(Number.isInteger(ms) && ms >= 0 && ms <= HLC_MS_MAX, `hlc ms out of range: ${ms}`);
  assert(Number.isInteger(counter) && counter >= 0 && counter <= COUNTER_MAX, `hlc counter out of range: ${counter}`);
  return ((BigInt(ms) << COUNTER_BITS) | BigInt(counter)) as Hlc;
}

export function hlcMs(hlc: Hlc): number {
  return Number(hlc >> COUNTER_BITS);
}

export function hlcCounter(hlc: Hlc): number {
  return Number(hlc & COUNTER_MASK);
}

/** The decimal text used on every wire and by the databases (BIGINT UNSIGNED). */
export function formatHlc(hlc: Hlc): string {
  return hlc.toString();
}

/** Reads what formatHlc wrote. Throws validation-failed. */
export function parseHlc(text: string): Hlc {
  const value = /^(?:0|[1-9][0-9]{0,19})$/.test(text) ? BigInt(text) : -1n;
  if (value < 0n || value > HLC_MAX) throw new TandemError('validation-failed', `"${text}" is not an hlc`);
  return value as Hlc;
}

/** -1 where `a` is older, 1 where it is newer, 0 where they are one and the same. Ties in time go to the higher origin. */
export function compareVersions(a: Version, b: Version): -1 | 0 | 1 {
  if (a.hlc !== b.hlc) return a.hlc < b.hlc ? -1 : 1;
  if (a.origin !== b.origin) return a.origin < b.origin ? -1 : 1;
  return 0;
}
