/**
 * What may stand in for a '?' of a statement.
 *
 * Invariant: only values with exactly one meaning in SQL pass: no undefined (say null), no plain objects (the driver
 * would turn them into assignments), no number that lost digits, no empty list (IN () is no SQL). All of these are
 * programmers' errors and assert. Escaping itself is the driver's work (sql-escaper), done in this process: statements
 * travel as text, because the text protocol alone gives typeCast exact digits and lists expand in IN (?).
 */
import { assert } from '../kernel/assert.ts';

/** A list becomes a, b, c (for IN); a list of lists becomes (a, b), (c, d) (for VALUES ?). */
export type SqlParameter = null | string | number | bigint | boolean | Date | Buffer | readonly SqlParameter[];

/** A statement longer than this does not fit a default max_allowed_packet (16 MiB) once it is escaped. */
const LIST_LENGTH_MAX = 50_000;

export function checkParameters(sql: string, params: readonly unknown[]): asserts params is readonly SqlParameter[] {
  for (const [index, param] of params.entries()) checkParameter(sql, `parameter ${index}`, param);
}

function checkParameter(sql: string, name: string, param: unknown): void {
  const wrong = (why: string): string => `${name} ${why} in: ${sql.slice(0, 120)}`;
  switch (typeof param) {
    case 'string':
    case 'bigint':
    case 'boolean':
      return;
    case 'number':
      assert(Number.isFinite(param), wrong(`is ${param}`));
      assert(!Number.isInteger(param) || Number.isSafeInteger(param), wrong('is past 2^53: pass a bigint'));
      return;
    case 'object':
      if (param === null || Buffer.isBuffer(param)) return;
      if (param instanceof Date) {
        assert(!Number.isNaN(param.getTime()), wrong('is an invalid date'));
        return;
      }
      assert(Array.isArray(param), wrong('is an object: pass JSON text or single values'));
      assert(param.length > 0, wrong('is an empty list'));
      assert(param.length <= LIST_LENGTH_MAX, wrong(`has ${param.length} items, more than ${LIST_LENGTH_MAX}`));
      for (const item of param) checkParameter(sql, `an item of ${name}`, item);
      return;
    default:
      assert(false, wrong(`is ${typeof param}`));
  }
}
