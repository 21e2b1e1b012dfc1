/**
 * Wire values into SQL parameters, raw rows into images.
 *
 * Invariant: an id goes to the server as a number literal: compared as text it would become a DOUBLE and lose digits.
 */
import type { RawRow } from '../../shared/mysql/raw-connection.ts';
import type { Image, Value } from '../change/envelope.ts';

export function parameterOf(value: Value): null | string | number | Buffer {
  return typeof value === 'object' && value !== null ? Buffer.from(value.$b64, 'base64') : value;
}

export function imageOfRow(row: RawRow): Image {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [column, Buffer.isBuffer(value) ? { $b64: value.toString('base64') } : value]),
  );
}

export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

export function quotedList(names: Iterable<string>): string {
  return [...names].map(quoted).join(', ');
}
