/**
 * A column's value as Debezium writes it → the wire form of cdc/change (Value).
 *
 * What a number or a text stands for depends on the column: the type of the target's column says it, and the schema block of the message
 * where it has one. Without that block Debezium's defaults are assumed (time.precision.mode=adaptive_time_microseconds) and decimals have
 * to be text (decimal.handling.mode=string).
 *
 * Invariant: a value is converted exactly or refused by column, naming the connector's setting; nothing is guessed. HAZARD Debezium itself
 * loses some: zero dates (they become NULL or 1970), and a TIME beyond a day with time.precision.mode=connect.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Value } from '../change/envelope.ts';

/** A column of the target, in the words of information_schema. */
export interface ColumnType {
  /** DATA_TYPE: "bigint", "datetime", "enum". */
  readonly dataType: string;
  /** COLUMN_TYPE: "bigint(20) unsigned", "datetime(6)", "decimal(65,30)". */
  readonly columnType: string;
}

/** What a message's own schema says of a field. */
export interface FieldSchema {
  /** "io.debezium.time.MicroTimestamp", "org.apache.kafka.connect.data.Decimal". */
  readonly name?: string | undefined;
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/** A value of the message's JSON; an integer beyond 2^53 is its own digits as text. */
export type RawValue = null | boolean | number | string | object;

const TWO_TO_64 = 1n << 64n;
const MICROS_A_SECOND = 1_000_000n;
const MICROS_A_MILLI = 1_000n;
const MICROS_A_DAY = 86_400n * MICROS_A_SECOND;
const PRECISE = 'org.apache.kafka.connect.data.Decimal';
const INTEGER = /^-?\d+$/;
const DECIMAL = /^-?\d+(?:\.\d+)?$/;

/** Throws change-malformed, naming the column. */
export function valueOf(column: string, type: ColumnType, value: RawValue, schema?: FieldSchema): Value {
  if (value === null) return null;
  const converted = convert(type, value, schema);
  if (converted !== undefined) return converted;
  throw new TandemError('change-malformed',
    `Debezium sent ${JSON.stringify(value)?.slice(0, 60)}${schema?.name === undefined ? '' : ` (${schema.name})`} for column ${column}, which is ${type.columnType} here: ${hintOf(type)}`,
    { details: { column, columnType: type.columnType, setting: hintOf(type) } });
}

/** undefined: this cannot be it. */
function convert({ dataType, columnType }: ColumnType, value: RawValue, schema: FieldSchema | undefined): Value | undefined {
  switch (dataType) {
    case 'tinyint': case 'smallint': case 'mediumint': case 'int': case 'year':
      return typeof value === 'boolean' ? Number(value) : numberOf(value);
    case 'bigint':
      return bigintText(columnType, value, schema);
    case 'float': case 'double':
      return numberOf(value);
    case 'decimal':
      return decimalText(columnType, value, schema);
    case 'bit':
      return bits(columnType, value);
    case 'date':
      return typeof value === 'string' && !INTEGER.test(value) ? value : ifInteger(value, (days) => dateText(days * MICROS_A_DAY));
    case 'time':
      return ifInteger(value, (count) => timeText(count * unitOf(schema, 1n), fractionOf(columnType)));
    case 'datetime':
      return ifInteger(value, (count) => datetimeText(count * unitOf(schema, fractionOf(columnType) <= 3 ? MICROS_A_MILLI : 1n), fractionOf(columnType)));
    case 'timestamp':
      return typeof value === 'string' ? zonedText(value, fractionOf(columnType)) : undefined;
    case 'binary': case 'varbinary': case 'tinyblob': case 'blob': case 'mediumblob': case 'longblob':
      return typeof value === 'string' && isBase64(value) ? { $b64: value } : undefined;
    case 'char': case 'varchar': case 'tinytext': case 'text': case 'mediumtext': case 'longtext': case 'enum': case 'set': case 'json':
    case 'uuid': case 'inet4': case 'inet6':
      return typeof value === 'string' ? value : undefined;
    default:
      return undefined;
  }
}

function hintOf({ dataType }: ColumnType): string {
  switch (dataType) {
    case 'decimal': return 'set decimal.handling.mode to string or precise (precise needs converters with schemas)';
    case 'binary': case 'varbinary': case 'tinyblob': case 'blob': case 'mediumblob': case 'longblob': return 'set binary.handling.mode to bytes or base64';
    case 'date': case 'time': case 'datetime': return 'set time.precision.mode to adaptive_time_microseconds';
    default: return 'the two schemas differ, or this type does not travel';
  }
}

/** Digits of a text that stands for a large integer, or a number. */
function numberOf(value: RawValue): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && INTEGER.test(value) ? Number(value) : undefined;
}

/** bigint.unsigned.handling.mode=long lets values from 2^63 on come as negative ones; precise sends a Decimal. */
function bigintText(columnType: string, value: RawValue, schema: FieldSchema | undefined): string | undefined {
  if (schema?.name === PRECISE) return typeof value === 'string' ? String(unscaled(value)) : undefined;
  return ifInteger(value, (number) => String(/ unsigned/i.test(columnType) && number < 0n ? number + TWO_TO_64 : number));
}

function decimalText(columnType: string, value: RawValue, schema: FieldSchema | undefined): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (schema?.name !== PRECISE) return DECIMAL.test(value) ? value : undefined;
  const scale = Number(schema.parameters?.['scale'] ?? /,(\d+)\)/.exec(columnType)?.[1] ?? 0);
  const number = unscaled(value);
  const digits = String(number < 0n ? -number : number).padStart(scale + 1, '0');
  const whole = `${number < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}`;
  return scale === 0 ? whole : `${whole}.${digits.slice(-scale)}`;
}

/** Two's complement, big-endian, in base64. */
function unscaled(base64: string): bigint {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
}

/** Debezium's Bits are little-endian and as short as the value; BIT(1) is a boolean. The wire has the column's full width, big-endian. */
function bits(columnType: string, value: RawValue): Value | undefined {
  const width = Math.ceil(Number(/\((\d+)\)/.exec(columnType)?.[1] ?? 1) / 8);
  if (typeof value === 'boolean') return { $b64: Buffer.from([Number(value)]).toString('base64') };
  if (typeof value !== 'string' || !isBase64(value)) return undefined;
  const given = Buffer.from(Buffer.from(value, 'base64').toReversed());
  const bytes = Buffer.alloc(width);
  given.subarray(Math.max(0, given.length - width)).copy(bytes, Math.max(0, width - given.length));
  return { $b64: bytes.toString('base64') };
}

/** How many microseconds one of what the field counts is. */
function unitOf({ name = '' }: FieldSchema = {}, assumed: bigint): bigint {
  if (name.startsWith('org.apache.kafka.connect.data.') || /\.(?:Time|Timestamp)$/.test(name)) return MICROS_A_MILLI;
  return /\.Micro(?:Time|Timestamp)$/.test(name) ? 1n : assumed;
}

function ifInteger(value: RawValue, then: (count: bigint) => string): string | undefined {
  if (typeof value === 'number' ? !Number.isInteger(value) : typeof value !== 'string' || !INTEGER.test(value)) return undefined;
  return then(BigInt(value as number | string));
}

/** Digits of the second's fraction: datetime(6) has six. */
function fractionOf(columnType: string): number {
  return Number(/\((\d)\)/.exec(columnType)?.[1] ?? 0);
}

function dateText(micros: bigint): string {
  const date = new Date(Number(micros / MICROS_A_MILLI));
  return `${pad(date.getUTCFullYear(), 4)}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
}

function datetimeText(micros: bigint, digits: number): string {
  const ofDay = ((micros % MICROS_A_DAY) + MICROS_A_DAY) % MICROS_A_DAY;
  return `${dateText(micros - ofDay)} ${clockText(ofDay, digits)}`;
}

/** TIME goes from -838:59:59 to 838:59:59. */
function timeText(micros: bigint, digits: number): string {
  return micros < 0n ? `-${clockText(-micros, digits)}` : clockText(micros, digits);
}

function clockText(micros: bigint, digits: number): string {
  const seconds = micros / MICROS_A_SECOND;
  const clock = [seconds / 3_600n, (seconds / 60n) % 60n, seconds % 60n].map((part) => pad(Number(part))).join(':');
  return digits === 0 ? clock : `${clock}.${pad(Number(micros % MICROS_A_SECOND), 6).slice(0, digits)}`;
}

/** "2026-01-02T03:04:05.6Z" → "2026-01-02 03:04:05.600000" */
function zonedText(value: string, digits: number): string | undefined {
  const { date, clock, fraction = '' } = /^(?<date>\d{4}-\d\d-\d\d)T(?<clock>\d\d:\d\d:\d\d)(?:\.(?<fraction>\d{1,9}))?Z$/.exec(value)?.groups ?? {};
  if (date === undefined || clock === undefined) return undefined;
  return digits === 0 ? `${date} ${clock}` : `${date} ${clock}.${fraction.padEnd(6, '0').slice(0, digits)}`;
}

function isBase64(text: string): boolean {
  return /^(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/.test(text);
}

function pad(value: number, length = 2): string {
  return String(value).padStart(length, '0');
}
