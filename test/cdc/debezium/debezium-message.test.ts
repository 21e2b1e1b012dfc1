/** Which messages of a Debezium connector are changes, and what they say. */
import { expect, it } from 'vitest';
import { encodeChangeBytes } from '../../../cdc/change/codec.ts';
import type { Change } from '../../../cdc/change/envelope.ts';
import { isDebezium, readDebezium } from '../../../cdc/debezium/debezium-message.ts';
import type { DebeziumSource } from '../../../cdc/debezium/debezium-message.ts';

const bigint = { dataType: 'bigint', columnType: 'bigint(20)' };
const TYPES = new Map([
  ['id', bigint], ['unit', { dataType: 'tinyint', columnType: 'tinyint(3) unsigned' }], ['display_name', { dataType: 'varchar', columnType: 'varchar(100)' }],
  ['_hlc', { dataType: 'bigint', columnType: 'bigint(20) unsigned' }], ['_origin', { dataType: 'tinyint', columnType: 'tinyint(3) unsigned' }],
]);
const SOURCE: DebeziumSource = { region: 'east', origin: 1, typesOf: (table) => (table === 'accounts' ? TYPES : undefined) };
const FROM = '"source":{"connector":"mariadb","name":"dbz","ts_ms":1767323045000,"db":"tandem","table":"TABLE","server_id":1,"gtid":"1-1-7","file":"binlog.000001","pos":712,"row":0}';
const row = (id: string, more = ''): string => `{"id":${id},"unit":7,"display_name":"Ann","_hlc":115824243200000001,"_origin":1${more}}`;
const message = (table: string, op: string, before: string, after: string): Buffer =>
  Buffer.from(`{"before":${before},"after":${after},${FROM.replace('TABLE', table)},"transaction":null,"op":"${op}","ts_ms":1767323045001}`);
const read = (value: Buffer): Change | null => readDebezium(value, SOURCE);

it('ids and versions beyond 2^53 keep every digit', () => {
  const change = read(message('accounts', 'c', 'null', row('9223372036854775807')));
  expect(change).toMatchObject({ op: 'c', table: 'accounts', id: '9223372036854775807', unit: 7, version: { hlc: 115824243200000001n, origin: 1 }, last: true });
  expect(change?.after).toMatchObject({ id: '9223372036854775807', display_name: 'Ann', _hlc: '115824243200000001' });
  expect(change?.source).toMatchObject({ region: 'east', gtid: '1-1-7', file: 'binlog.000001', pos: 712 });
});

it('an update knows the version that it was made on', () => {
  const before = row('1').replace('0001,"_origin"', '0000,"_origin"');
  expect(read(message('accounts', 'u', before, row('1')))?.base).toEqual({ hlc: 115824243200000000n, origin: 1 });
});

it('a row that apply wrote there does not come back, neither does its tombstone; a snapshot reads everything', () => {
  const foreign = row('1').replace('"_origin":1', '"_origin":2');
  expect(read(message('accounts', 'u', row('1'), foreign))).toBeNull();
  expect(read(message('accounts', 'r', 'null', foreign))).toMatchObject({ op: 'r', version: { origin: 2 } });
  const tombstone = '{"table_name":"accounts","row_id":5,"unit":3,"_hlc":115824243200000009,"_origin":2,"deleted_at":0}';
  expect(read(message('_tombstones', 'c', 'null', tombstone))).toBeNull();
});

it('a tombstone is the delete, with its version; the delete itself says nothing', () => {
  const tombstone = '{"table_name":"accounts","row_id":5,"unit":3,"_hlc":115824243200000009,"_origin":1,"deleted_at":0}';
  for (const op of ['c', 'u', 'r']) {
    expect(read(message('_tombstones', op, 'null', tombstone))).toMatchObject({ op: 'd', table: 'accounts', id: '5', unit: 3, version: { hlc: 115824243200000009n, origin: 1 }, before: null, after: null });
  }
  expect(read(message('accounts', 'd', row('5'), 'null'))).toBeNull();
});

it("what is no row's change is passed over", () => {
  const others = ['', '{"ts_ms":1767323045000}', '{"status":"BEGIN","id":"1-1-7","event_count":null}',
    `{${FROM.replace('TABLE', '')},"databaseName":"tandem","ddl":"CREATE TABLE t (id INT)","tableChanges":[]}`, '{"schema":{"type":"struct"},"payload":null}'];
  expect(others.map((each) => read(Buffer.from(each)))).toEqual(others.map(() => null));
  expect(read(message('accounts', 't', 'null', 'null'))).toBeNull();
  expect(read(message('_checkpoints', 'c', 'null', '{"source":"west"}'))).toBeNull();
});

it('a schema block beside the payload decides what a number means', () => {
  const types = new Map([...TYPES, ['at', { dataType: 'datetime', columnType: 'datetime(6)' }]]);
  const columns = [{ field: 'at', type: 'int64', name: 'org.apache.kafka.connect.data.Timestamp' }];
  const schema = { type: 'struct', fields: [{ field: 'before', type: 'struct', fields: columns }, { field: 'after', type: 'struct', fields: columns }] };
  const payload = message('accounts', 'c', 'null', row('1', ',"at":1767323045678')).toString();
  const change = readDebezium(Buffer.from(`{"schema":${JSON.stringify(schema)},"payload":${payload}}`), { ...SOURCE, typesOf: () => types });
  expect(change?.after?.['at']).toBe('2026-01-02 03:04:05.678000');
});

it('a version that comes as a precise decimal is the same version', () => {
  const columns = [{ field: '_hlc', type: 'bytes', name: 'org.apache.kafka.connect.data.Decimal', parameters: { scale: '0' } }];
  const schema = { type: 'struct', fields: [{ field: 'after', type: 'struct', fields: columns }] };
  const payload = message('accounts', 'c', 'null', row('1').replace('115824243200000001', '"AZt+VxtUAAE="')).toString();
  const change = read(Buffer.from(`{"schema":${JSON.stringify(schema)},"payload":${payload}}`));
  expect(change?.version).toEqual({ hlc: BigInt('0x019b7e571b540001'), origin: 1 });
});

it('an image is converted once the target has the table, and again when that has changed', () => {
  let types: typeof TYPES | undefined;
  const change = readDebezium(message('accounts', 'c', 'null', row('1')), { ...SOURCE, typesOf: () => types });
  expect(Object.keys(change?.after ?? {})).toContain('display_name');
  types = TYPES;
  expect(change?.after?.['display_name']).toBe('Ann');
});

it("Tandem's own messages are told from Debezium's, whatever stands in their rows", () => {
  const debezium = message('accounts', 'c', 'null', row('1').replace('Ann', '\\"tandem\\":{'));
  const change = read(debezium) as Change;
  expect(isDebezium({ value: debezium, headers: {} })).toBe(true);
  expect(isDebezium({ value: encodeChangeBytes(change), headers: {} })).toBe(false);
  expect(isDebezium({ value: Buffer.from('half of'), headers: { 'tandem-part': Buffer.from('ab/0/2') } })).toBe(false);
});
