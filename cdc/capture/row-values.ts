/**
 * A binlog row as zongji decodes it, brought into wire form (cdc/change Value).
 *
 * Invariant: a value either has exactly one wire form or is refused by table and column; nothing is guessed. Rows that do
 * not carry every column are refused: a session has lowered binlog_row_image, and what is missing cannot be invented.
 * Connection options it relies on: dateStrings, jsonStrings, timezone Z, decimals as strings.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Image, Value } from '../change/envelope.ts';

export interface DecodedColumn { readonly name: string; readonly type: number }
export type DecodedRow = Record<string, unknown>;

/** MYSQL_TYPE_YEAR, _LONGLONG, _ENUM, _SET, _GEOMETRY of the protocol. */
const YEAR = 13;
const LONGLONG = 8;
const ENUM = 247;
const GEOMETRY = 255;
/** The stored byte 0 means the year 0000, which zongji adds 1900 to; 1900 itself is not a YEAR. */
const YEAR_ZERO_AS_DECODED = 1900;

/** Throws capture-unreadable, naming table and column. */
export function imageOf(table: string, columns: readonly DecodedColumn[], row: DecodedRow): Image {
  const image: Record<string, Value> = {};
  for (const { name, type } of columns) image[name] = valueOf(table, name, type, row[name]);
  return image;
}

/** `bitmap` has one bit for each of `count` columns. Throws capture-unreadable. */
export function refusePartialRows(table: string, bitmap: Uint8Array, count: number): void {
  for (let column = 0; column < count; column += 1) {
    if (((bitmap[column >> 3] ?? 0) & (1 << (column & 7))) !== 0) continue;
    throw new TandemError('capture-unreadable', `rows of ${table} do not carry column ${column + 1}: some session has set binlog_row_image below FULL`, {
      details: { table, setting: 'binlog_row_image', expected: 'FULL' },
    });
  }
}

function valueOf(table: string, column: string, type: number, value: unknown): Value {
  if (value === null) return null;
  if (type === GEOMETRY) throw unreadable(table, column, 'GEOMETRY does not travel');
  if (typeof value === 'number') {
    if (type === LONGLONG) return String(value);
    return type === YEAR && value === YEAR_ZERO_AS_DECODED ? 0 : value;
  }
  if (typeof value === 'string') return value;
  if (Buffer.isBuffer(value)) return { $b64: value.toString('base64') };
  // An ENUM outside of its list is stored as 0 and printed as ''.
  if (value === undefined && type === ENUM) return '';
  throw unreadable(table, column, `type ${type} gave ${typeof value}`);
}

function unreadable(table: string, column: string, why: string): TandemError {
  return new TandemError('capture-unreadable', `column ${table}.${column} cannot be captured: ${why}`, { details: { table, column } });
}
