/**
 * Wire values into SQL, raw rows into images.
 *
 * Invariants: an id goes to the server as a number literal: compared as text it would become a DOUBLE and lose digits. What
 * imageOfRow() makes of a row equals the image that the row's own change had.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawRow } from '../../shared/mysql/raw-connection.ts';
import { literal } from '../../shared/mysql/sql-text.ts';
import type { Image, Value } from '../change/envelope.ts';
import type { TargetTable } from './table-catalog.ts';
import { shortestFloat } from '../change/numbers.ts';

const DECIMAL_ID = /^-?[0-9]{1,20}$/;

export function valueLiteral(value: Value): string {
  return literal(typeof value === 'object' && value !== null ? Buffer.from(value.$b64, 'base64') : value);
}

/** Throws change-malformed where the image has no such column: what is missing is not NULL. */
export function columnLiteral({ name, floats }: Pick<TargetTable, 'name' | 'floats'>, image: Image, column: string): string {
  const value = image[column];
  // The largest FLOAT, in its fewest digits, is more than a FLOAT takes.
  if (typeof value === 'number' && floats.has(column)) return valueLiteral(Math.fround(value));
  if (value !== undefined) return valueLiteral(value);
  throw new TandemError('change-malformed', `an image of ${name} lacks ${column}`, { details: { table: name, column } });
}

/** Throws change-malformed. */
export function idLiteral(id: string): string {
  if (DECIMAL_ID.test(id)) return id;
  throw new TandemError('change-malformed', `"${id.slice(0, 40)}" is no id`, { details: { id: id.slice(0, 40) } });
}

export function idList(ids: readonly string[]): string {
  return ids.map(idLiteral).join(',');
}

/** @param floats columns that were selected as DOUBLE */
export function imageOfRow(row: RawRow, floats: ReadonlySet<string>): Image {
  const image: Record<string, Value> = {};
  for (const [column, value] of Object.entries(row)) {
    if (Buffer.isBuffer(value)) image[column] = { $b64: value.toString('base64') };
    else image[column] = typeof value === 'number' && floats.has(column) ? shortestFloat(value) : value;
  }
  return image;
}
