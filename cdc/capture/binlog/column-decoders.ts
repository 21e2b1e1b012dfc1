/**
 * One function for each column, made once per table map: reads the column's bytes, writes its wire form (Value).
 *
 * Invariant: a type either has exactly one wire form here or is refused by table and column when its first table map comes
 * by (capture-unreadable); nothing is guessed.
 */
import { collectGarbage } from '../../../shared/kernel/collect-garbage.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { shortestFloat } from '../../change/numbers.ts';
import { decodingOf } from './charsets.ts';
import type { Charsets } from './charsets.ts';
import { decimalBytes, decimalText } from './decimal.ts';
import { TYPE } from './event-types.ts';
import { jsonText } from './json-binary.ts';
import type { RowText } from './row-text.ts';
import type { TableColumn } from './table-map.ts';
import { TEMPORAL_TEXT_BYTES, writeDate, writeDatetime, writeTime, writeTimestamp } from './temporal.ts';

/** What has a bounded text finds room reserved (FIXED_TEXT_BYTES_MAX a column); the others reserve it themselves. */
export type ColumnDecoder = (row: RowText) => void;

/** The longest: a DECIMAL(65,30) with sign, point and quotes, or a double. */
export const FIXED_TEXT_BYTES_MAX = 80;

const LARGE_JSON_BYTES = 4 * 1024 * 1024;
const [QUOTE, MINUS] = [0x22, 0x2d];
const EMPTY_TEXT = Buffer.from('""');

/** Throws capture-unreadable. */
export function columnDecoder(table: string, column: TableColumn, charsets: Charsets): ColumnDecoder {
  const { type, meta, unsigned } = column;
  switch (type) {
    case TYPE.tiny: return integer(1, unsigned);
    case TYPE.short: return integer(2, unsigned);
    case TYPE.int24: return integer(3, unsigned);
    case TYPE.long: return integer(4, unsigned);
    case TYPE.longlong: return bigint(unsigned);
    case TYPE.float: return floating(4);
    case TYPE.double: return floating(8);
    case TYPE.newdecimal: return decimal(meta & 0xff, meta >> 8);
    case TYPE.year: return year;
    case TYPE.date: return writeDate;
    case TYPE.time2: return (row) => writeTime(row, meta);
    case TYPE.datetime2: return (row) => writeDatetime(row, meta);
    case TYPE.timestamp2: return (row) => writeTimestamp(row, meta);
    case TYPE.bit: return bits((meta >> 8) + ((meta & 0xff) > 0 ? 1 : 0));
    case TYPE.enum: return enumeration(table, column, charsets);
    case TYPE.set: return set(table, column, charsets);
    case TYPE.string: return text(table, column, charsets, meta > 255 ? 2 : 1, meta);
    case TYPE.varchar:
    case TYPE.varString: return text(table, column, charsets, meta > 255 ? 2 : 1);
    case TYPE.tinyBlob:
    case TYPE.mediumBlob:
    case TYPE.longBlob:
    case TYPE.blob: return text(table, column, charsets, meta);
    case TYPE.json: return json(meta);
    case TYPE.geometry:
    case TYPE.vector: return binary(meta);
    default: throw unreadable(table, column.name, type === TYPE.timestamp || type === TYPE.time || type === TYPE.datetime
      ? 'it has the temporal format of before MySQL 5.6: ALTER TABLE … FORCE rewrites it'
      : `its type (number ${type}) is not one that travels`);
  }
}

function integer(bytes: 1 | 2 | 3 | 4, unsigned: boolean): ColumnDecoder {
  const signBit = 2 ** (bytes * 8 - 1);
  return (row) => {
    const { src, pos } = row;
    let value = src[pos] as number;
    if (bytes > 1) value += (src[pos + 1] as number) * 0x100;
    if (bytes > 2) value += (src[pos + 2] as number) * 0x1_0000;
    if (bytes > 3) value += (src[pos + 3] as number) * 0x100_0000;
    row.pos = pos + bytes;
    if (!unsigned && value >= signBit) {
      row.byte(MINUS);
      value = 2 * signBit - value;
    }
    row.digits(value);
  };
}

function bigint(unsigned: boolean): ColumnDecoder {
  return (row) => {
    const { src, pos } = row;
    row.pos = pos + 8;
    row.bigint(src.readUInt32LE(pos + 4), src.readUInt32LE(pos), unsigned);
  };
}

/** Printing a double is dear, and an update's two images mostly hold the same one: the last text is kept. */
function floating(bytes: 4 | 8): ColumnDecoder {
  let [high, low, last] = [0, 0, '0'];
  return (row) => {
    const { src, pos } = row;
    row.pos = pos + bytes;
    const [lowNow, highNow] = [src.readInt32LE(pos), bytes === 8 ? src.readInt32LE(pos + 4) : 0];
    if (lowNow !== low || highNow !== high) {
      const value = bytes === 8 ? src.readDoubleLE(pos) : shortestFloat(src.readFloatLE(pos));
      [high, low, last] = [highNow, lowNow, Object.is(value, -0) ? '-0' : String(value)];
    }
    row.ascii(last);
  };
}

function decimal(precision: number, scale: number): ColumnDecoder {
  const bytes = decimalBytes(precision, scale);
  return (row) => {
    row.byte(QUOTE);
    row.ascii(decimalText(row.src, row.pos, precision, scale));
    row.byte(QUOTE);
    row.pos += bytes;
  };
}

/** The years 1901 to 2155 in a byte; 0 is the year 0000. */
function year(row: RowText): void {
  const value = row.src[row.pos] as number;
  row.pos += 1;
  row.digits(value === 0 ? 0 : 1900 + value);
}

function bits(bytes: number): ColumnDecoder {
  return (row) => {
    row.base64(row.src, row.pos, row.pos + bytes);
    row.pos += bytes;
  };
}

/** A value outside of the list is stored as 0 and printed as ''. */
function enumeration(table: string, column: TableColumn, charsets: Charsets): ColumnDecoder {
  const members = [EMPTY_TEXT, ...memberTexts(table, column, charsets).map((member) => Buffer.from(JSON.stringify(member)))];
  const bytes = column.meta as 1 | 2;
  return (row) => {
    const index = row.src.readUIntLE(row.pos, bytes);
    row.pos += bytes;
    const member = members[index];
    if (member === undefined) throw unreadable(table, column.name, `the binlog has its member ${index} of ${members.length - 1}`);
    row.reserve(member.length);
    row.raw(member);
  };
}

function set(table: string, column: TableColumn, charsets: Charsets): ColumnDecoder {
  const members = memberTexts(table, column, charsets);
  const bytes = column.meta;
  return (row) => {
    const chosen = members.filter((_member, i) => ((row.src[row.pos + (i >> 3)] as number) & (1 << (i & 7))) !== 0);
    row.pos += bytes;
    row.text(chosen.join());
  };
}

function memberTexts(table: string, column: TableColumn, charsets: Charsets): string[] {
  const decoding = decodingOf(charsets, column.collation, `${table}.${column.name}`);
  if (decoding === 'binary') return column.members.map((member) => member.toString('latin1'));
  return column.members.map((member) => (decoding === 'utf8' ? member.toString('utf8') : decoding(member)));
}

/** `fixedBytes`: of CHAR and BINARY. The binlog leaves out what BINARY is padded with. */
function text(table: string, column: TableColumn, charsets: Charsets, lengthBytes: number, fixedBytes = 0): ColumnDecoder {
  const decoding = decodingOf(charsets, column.collation, `${table}.${column.name}`);
  return (row) => {
    const { src } = row;
    const length = lengthBytes === 1 ? (src[row.pos] as number) : src.readUIntLE(row.pos, lengthBytes);
    const start = row.pos + lengthBytes;
    const end = start + length;
    row.pos = end;
    if (decoding === 'utf8') row.utf8(src, start, end);
    else if (decoding === 'binary') row.base64(src, start, end, Math.max(0, fixedBytes - length));
    else row.text(decoding(src.subarray(start, end)));
  };
}

function json(lengthBytes: number): ColumnDecoder {
  return (row) => {
    const start = row.pos + lengthBytes;
    row.pos = start + row.src.readUIntLE(row.pos, lengthBytes);
    const isLarge = row.pos - start > LARGE_JSON_BYTES;
    const text = jsonText(row.src.subarray(start, row.pos));
    // Each step leaves garbage of its size, and the row's other image may still be to come.
    if (isLarge) collectGarbage();
    row.text(text);
    if (isLarge) collectGarbage();
  };
}

function binary(lengthBytes: number): ColumnDecoder {
  return (row) => {
    const start = row.pos + lengthBytes;
    row.pos = start + row.src.readUIntLE(row.pos, lengthBytes);
    row.base64(row.src, start, row.pos);
  };
}

function unreadable(table: string, column: string, why: string): TandemError {
  return new TandemError('capture-unreadable', `column ${table}.${column} cannot be captured: ${why}`, { details: { table, column } });
}

/** Each column of bounded text gets this much room. */
export const ROOM_BYTES_A_COLUMN = Math.max(FIXED_TEXT_BYTES_MAX, TEMPORAL_TEXT_BYTES);
