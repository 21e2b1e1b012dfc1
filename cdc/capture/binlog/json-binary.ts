/**
 * MySQL's binary JSON → the text that MySQL prints for it.
 *
 * Invariant: character for character what SELECT gives: members in stored order, ", " and ": " between them, a double with
 * its ".0", integers of 64 bits exactly, decimals and times in their own notation, what JSON has no word for as
 * "base64:typeN:…". HAZARD MySQL reads that text back as plain JSON: a decimal becomes a double there, a time a string;
 * no client can write them otherwise.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { decimalText } from './decimal.ts';
import { TYPE } from './event-types.ts';

const KIND = {
  smallObject: 0, largeObject: 1, smallArray: 2, largeArray: 3, literal: 4, int16: 5, uint16: 6, int32: 7, uint32: 8, int64: 9, uint64: 10, double: 11, string: 12, opaque: 15,
} as const;
const LITERALS = ['null', 'true', 'false'] as const;

/** Throws capture-unreadable. */
export function jsonText(bytes: Buffer): string {
  // What a JSON column NOT NULL holds that was given nothing.
  if (bytes.length === 0) return 'null';
  return valueText(bytes, bytes[0] as number, 1);
}

function valueText(bytes: Buffer, kind: number, at: number): string {
  switch (kind) {
    case KIND.smallObject: return containerText(bytes, at, 2, true);
    case KIND.largeObject: return containerText(bytes, at, 4, true);
    case KIND.smallArray: return containerText(bytes, at, 2, false);
    case KIND.largeArray: return containerText(bytes, at, 4, false);
    case KIND.literal: return LITERALS[bytes[at] as number] ?? unreadable(`literal ${bytes[at]}`);
    case KIND.int16: return String(bytes.readInt16LE(at));
    case KIND.uint16: return String(bytes.readUInt16LE(at));
    case KIND.int32: return String(bytes.readInt32LE(at));
    case KIND.uint32: return String(bytes.readUInt32LE(at));
    case KIND.int64: return String(bytes.readBigInt64LE(at));
    case KIND.uint64: return String(bytes.readBigUInt64LE(at));
    case KIND.double: return doubleText(bytes.readDoubleLE(at));
    case KIND.string: return stringAt(bytes, at);
    case KIND.opaque: return opaqueText(bytes, at);
    default: return unreadable(`type ${kind}`);
  }
}

/** Members lie at offsets from the container's beginning; `width` is that of offsets and counts. */
function containerText(bytes: Buffer, start: number, width: 2 | 4, isObject: boolean): string {
  const number = (at: number): number => (width === 2 ? bytes.readUInt16LE(at) : bytes.readUInt32LE(at));
  const count = number(start);
  const keys = start + 2 * width;
  const values = keys + (isObject ? count * (width + 2) : 0);
  const members = Array.from({ length: count }, (_, i) => {
    const entry = values + i * (width + 1);
    const kind = bytes[entry] as number;
    const value = valueText(bytes, kind, isInlined(kind, width) ? entry + 1 : start + number(entry + 1));
    if (!isObject) return value;
    const key = keys + i * (width + 2);
    const from = start + number(key);
    return `${JSON.stringify(bytes.toString('utf8', from, from + bytes.readUInt16LE(key + width)))}: ${value}`;
  });
  return isObject ? `{${members.join(', ')}}` : `[${members.join(', ')}]`;
}

function isInlined(kind: number, width: 2 | 4): boolean {
  return kind === KIND.literal || kind === KIND.int16 || kind === KIND.uint16 || (width === 4 && (kind === KIND.int32 || kind === KIND.uint32));
}

function stringAt(bytes: Buffer, at: number): string {
  const { length, next } = variableLength(bytes, at);
  return JSON.stringify(bytes.toString('utf8', next, next + length));
}

/** Seven bits a byte, the lowest first; the highest bit says that more follow. */
function variableLength(bytes: Buffer, at: number): { length: number; next: number } {
  let length = 0;
  for (let i = 0; i < 5; i += 1) {
    const byte = bytes[at + i] ?? 0;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { length, next: at + i + 1 };
  }
  return unreadable('length');
}

function opaqueText(bytes: Buffer, at: number): string {
  const type = bytes[at] as number;
  const { length, next } = variableLength(bytes, at + 1);
  switch (type) {
    case TYPE.newdecimal: return decimalText(bytes, next + 2, bytes[next] as number, bytes[next + 1] as number);
    case TYPE.date: return `"${dateOf(bytes.readBigInt64LE(next))}"`;
    case TYPE.datetime:
    case TYPE.timestamp: return `"${datetimeOf(bytes.readBigInt64LE(next))}"`;
    case TYPE.time: return `"${timeOf(bytes.readBigInt64LE(next))}"`;
    default: return `"base64:type${type}:${bytes.toString('base64', next, next + length)}"`;
  }
}

/** 24 bits of microseconds below 17 bits of time of day below the date. */
const MICROS_BITS = 24n;
const two = (n: number): string => String(n).padStart(2, '0');

function dateOf(packed: bigint): string {
  const date = Number((packed >> MICROS_BITS) >> 17n);
  const months = date >> 5;
  return `${String(Math.floor(months / 13)).padStart(4, '0')}-${two(months % 13)}-${two(date & 31)}`;
}

function datetimeOf(packed: bigint): string {
  return `${dateOf(packed)} ${clockOf(packed, 0x1f)}`;
}

function timeOf(packed: bigint): string {
  return packed < 0n ? `-${clockOf(-packed, 0x3ff)}` : clockOf(packed, 0x3ff);
}

function clockOf(packed: bigint, hoursMask: number): string {
  const seconds = Number((packed >> MICROS_BITS) & 0x3fffffn);
  const micros = String(packed & 0xffffffn).padStart(6, '0');
  return `${two((seconds >> 12) & hoursMask)}:${two((seconds >> 6) & 63)}:${two(seconds & 63)}.${micros}`;
}

/** The server's shortest form: plain up to 15 digits before or 14 zeros behind the point, else with an exponent. */
export function doubleText(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  if (value === 0) return '0.0';
  const [mantissa = '', exponentText = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const point = Number(exponentText) + 1;
  const sign = value < 0 ? '-' : '';
  if (point > 15 || point < -14) {
    return `${sign}${digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`}e${point - 1}`;
  }
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (digits.length <= point) return `${sign}${digits.padEnd(point, '0')}.0`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

function unreadable(what: string): never {
  throw new TandemError('capture-unreadable', `a JSON value of the binlog has an unknown ${what}`);
}
