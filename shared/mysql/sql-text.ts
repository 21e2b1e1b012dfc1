/**
 * Values and names as SQL text, for statements that are built by the thousand rows.
 *
 * Why not placeholders: replacing ten thousand of them by the driver's escaper costs several times what building the text does.
 * Invariant: a value becomes exactly one literal, whatever is in it; what it becomes reads back as the same value on both
 * engines. Nothing but literal(), quotedName() and fixed text may go into a statement that is built this way.
 * HAZARD: it holds for the sessions of this folder alone: utf8mb4 on the connection, no NO_BACKSLASH_ESCAPES (session.ts).
 */
import { assert } from '../kernel/assert.ts';

export type SqlValue = null | string | number | bigint | Buffer;

/** A quote or a backslash ends or changes a literal; NUL is escaped as servers print it. Everything else stands for itself. */
const SPECIAL = /['\\\0]/;
const SPECIAL_ALL = /['\\\0]/g;

export function literal(value: SqlValue): string {
  switch (typeof value) {
    case 'string':
      return SPECIAL.test(value) ? `'${value.replaceAll(SPECIAL_ALL, escaped)}'` : `'${value}'`;
    case 'number':
      return numeral(value);
    case 'bigint':
      return String(value);
    default:
      return value === null ? 'NULL' : `x'${value.toString('hex')}'`;
  }
}

/** A comma-separated list; asserts that it has an item, as IN () is no SQL. */
export function literals(values: readonly SqlValue[]): string {
  assert(values.length > 0, 'a list of SQL values is empty');
  return values.map(literal).join(',');
}

export function quotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** With an exponent where it is no integer: such a literal is a DOUBLE, digits alone a DECIMAL, which has no -0. */
function numeral(value: number): string {
  assert(Number.isFinite(value), `${value} is no SQL value`);
  if (Number.isInteger(value)) return Object.is(value, -0) ? '-0e0' : String(value);
  const text = String(value);
  return text.includes('e') ? text : `${text}e0`;
}

function escaped(character: string): string {
  return character === '\0' ? '\\0' : `\\${character}`;
}
