/** Floating point numbers of the databases as JavaScript has them. */

/** Digits from which on a FLOAT's text always reads back as the same FLOAT. */
const FLOAT_DIGITS_MIN = 6;
const FLOAT_DIGITS_MAX = 9;

/** The double with the shortest text that a FLOAT column rounds to `value`: 0.1, where a FLOAT's own value is 0.10000000149011612. */
export function shortestFloat(value: number): number {
  for (let digits = FLOAT_DIGITS_MIN; digits < FLOAT_DIGITS_MAX; digits += 1) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(FLOAT_DIGITS_MAX));
}
