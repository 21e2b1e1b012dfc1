/** Floating point numbers of the databases as JavaScript has them. */

/** Digits from which on a FLOAT's text always reads back as the same FLOAT. */
const FLOAT_DIGITS_MIN = 6;
const FLOAT_DIGITS_MAX = 9;

/** Shorter texts of it lie above it, where a FLOAT column takes nothing any more. */
const FLOAT_MAX = 3.402_823_466_385_288_6e38;

/** The double with the shortest text that a FLOAT column rounds to `value`: 0.1, where a FLOAT's own value is 0.10000000149011612. */
export function shortestFloat(value: number): number {
  // Texts lose the sign of -0.
  if (value === 0 || Math.abs(value) === FLOAT_MAX) return value;
  for (let digits = FLOAT_DIGITS_MIN; digits < FLOAT_DIGITS_MAX; digits += 1) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(FLOAT_DIGITS_MAX));
}
