/** Debezium's encodings of each column type, beside the wire form that capture would have sent. */
import { expect, it } from 'vitest';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { valueOf } from '../../../cdc/debezium/debezium-values.ts';
import type { FieldSchema, RawValue } from '../../../cdc/debezium/debezium-values.ts';
import type { Value } from '../../../cdc/change/envelope.ts';

type Case = [columnType: string, sent: RawValue, wire: Value, schema?: FieldSchema];
const DECIMAL: FieldSchema = { name: 'org.apache.kafka.connect.data.Decimal', parameters: { scale: '2' } };
const named = (name: string): FieldSchema => ({ name });

const CASES: Case[] = [
  ['tinyint(1)', 1, 1], ['tinyint(1)', true, 1], ['int(10) unsigned', 4_294_967_295, 4_294_967_295], ['year(4)', 2026, 2026], ['int(11)', null, null],
  ['bigint(20)', '-9223372036854775808', '-9223372036854775808'], ['bigint(20)', 42, '42'],
  ['bigint(20) unsigned', -1, '18446744073709551615'], ['bigint(20) unsigned', '-9223372036854775808', '9223372036854775808'],
  ['bigint(20) unsigned', 'AP//////////', '18446744073709551615', { name: DECIMAL.name, parameters: { scale: '0' } }],
  ['float', 0.1, 0.1], ['double', 1e300, 1e300], ['double', 3, 3],
  ['decimal(10,2)', '-0.05', '-0.05'], ['decimal(10,2)', 'MDk=', '123.45', DECIMAL], ['decimal(10,2)', '+w==', '-0.05', DECIMAL], ['decimal(10,2)', 'AA==', '0.00', DECIMAL],
  ['bit(1)', true, { $b64: 'AQ==' }], ['bit(10)', '/wE=', { $b64: 'Af8=' }], ['bit(64)', 'AQ==', { $b64: 'AAAAAAAAAAE=' }],
  ['date', 20_454, '2026-01-01'], ['date', -1, '1969-12-31'], ['date', '2026-01-01', '2026-01-01'],
  ['time', 3_020_399_000_000, '838:59:59'], ['time(6)', -1, '-00:00:00.000001'], ['time(3)', 45_296_789_000, '12:34:56.789'],
  ['time', 45_296_000, '12:34:56', named('io.debezium.time.Time')], ['time', 45_296_000, '12:34:56', named('org.apache.kafka.connect.data.Time')],
  ['datetime', 1_767_323_045_000, '2026-01-02 03:04:05'], ['datetime(3)', 1_767_323_045_678, '2026-01-02 03:04:05.678'],
  ['datetime(6)', 1_767_323_045_678_901, '2026-01-02 03:04:05.678901'], ['datetime(6)', 1_767_323_045_678, '2026-01-02 03:04:05.678000', named('org.apache.kafka.connect.data.Timestamp')],
  ['datetime(6)', -1, '1969-12-31 23:59:59.999999'], ['datetime(6)', '253402300799999999', '9999-12-31 23:59:59.999999'],
  ['timestamp(6)', '2026-01-02T03:04:05.6Z', '2026-01-02 03:04:05.600000'], ['timestamp', '2026-01-02T03:04:05Z', '2026-01-02 03:04:05'],
  ['varbinary(16)', 'AAH/', { $b64: 'AAH/' }], ['blob', '', { $b64: '' }],
  ['varchar(100)', 'é…', 'é…'], ["enum('a','b')", '', ''], ["set('a','b')", 'a,b', 'a,b'], ['json', '{"a":1.0}', '{"a":1.0}'],
];

const typeOf = (columnType: string): { dataType: string; columnType: string } => ({ dataType: /^\w+/.exec(columnType)?.[0] ?? '', columnType });

it.each<Case>(CASES)('%s %j is %j on the wire', (columnType, sent, wire, schema) => {
  expect(valueOf('t.c', typeOf(columnType), sent, schema)).toEqual(wire);
});

it.each<[columnType: string, sent: RawValue, setting: RegExp]>([
  ['decimal(10,2)', 123.45, /decimal\.handling\.mode/], ['decimal(10,2)', 'MDk=', /decimal\.handling\.mode/], ['blob', 'zz', /binary\.handling\.mode/],
  ['datetime(3)', '2026-01-02T03:04:05.678Z', /time\.precision\.mode/], ['point', { wkb: '', srid: null }, /does not travel/], ['int(11)', 'seven', /schemas differ/],
])('%s %j is refused by column and setting', (columnType, sent, setting) => {
  let thrown: unknown;
  try {
    valueOf('t.c', typeOf(columnType), sent);
  } catch (e) {
    thrown = e;
  }
  expect(isTandemError(thrown, 'change-malformed')).toBe(true);
  expect((thrown as Error).message).toMatch(/t\.c/);
  expect((thrown as Error).message).toMatch(setting);
});
