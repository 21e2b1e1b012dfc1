/**
 * Which of two values of one column is the greater, as the database would say.
 *
 * Numbers come as numbers or, where they could lose digits, as decimal text; dates and times as text of one width, which sorts
 * as time does. Nothing else has an order that two databases are sure to share (collations differ): conflict-rules-check.ts
 * lets no other type be `max` or `min`.
 */
import type { Value } from '../change/envelope.ts';

const DECIMAL = /^(?<sign>-?)(?<whole>\d+)(?:\.(?<fraction>\d+))?$/;

/** Below 0 where `a` is less, above 0 where it is greater. Neither may be NULL. */
export function compareValues(a: Value, b: Value): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [x, y] = [decimalOf(String(a)), decimalOf(String(b))];
  if (x === null || y === null) return String(a) === String(b) ? 0 : String(a) < String(b) ? -1 : 1;
  const scale = Math.max(x.scale, y.scale);
  const [p, q] = [x.digits * 10n ** BigInt(scale - x.scale), y.digits * 10n ** BigInt(scale - y.scale)];
  return p === q ? 0 : p < q ? -1 : 1;
}

/** Exact: digits / 10^scale. Null for what is no plain decimal number, as a date. */
function decimalOf(text: string): { digits: bigint; scale: number } | null {
  const { sign, whole, fraction = '' } = DECIMAL.exec(text)?.groups ?? {};
  if (whole === undefined) return null;
  const digits = BigInt(whole + fraction);
  return { digits: sign === '-' ? -digits : digits, scale: fraction.length };
}
