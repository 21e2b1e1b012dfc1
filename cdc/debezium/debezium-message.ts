/**
 * A message of Debezium's MySQL or MariaDB connector → a change, so that a house that runs Debezium keeps it in capture's place.
 *
 * What Tandem's own envelope says and Debezium's does not is found in the row: its version in `_hlc` and `_origin`, its unit in `unit`. A
 * delete has no version; the row that its trigger wrote into _tombstones just before has, so that row is the delete, and Debezium's own
 * delete event is dropped.
 *
 * Invariant: what apply wrote in the source's region is dropped (its `_origin` is not the source's), so nothing echoes. A snapshot's rows all
 * pass: whoever is seeded lacks them, and everybody else has them already.
 * Deliberately absent: transactions. Debezium marks no end of one within a partition, so each message stands for itself.
 */
import { parseHlc } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import type { IncomingMessage } from '../../shared/kafka/message.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { HEARTBEAT_TABLE, TOMBSTONE_TABLE } from '../../shared/schema/tables.ts';
import type { Change, ChangeSource, Image, Operation, Value } from '../change/envelope.ts';
import { VERSION_COLUMNS } from '../change/image.ts';
import { valueOf } from './debezium-values.ts';
import type { ColumnType, FieldSchema, RawValue } from './debezium-values.ts';

type Types = ReadonlyMap<string, ColumnType>;

export interface DebeziumSource {
  /** Whose changes these are. */
  readonly region: string;
  /** That region's number: rows of another origin came from elsewhere. */
  readonly origin: number;
  /** The target's columns by name; undefined while the target has no such table. Asked when an image is looked at. */
  readonly typesOf: (table: string) => Types | undefined;
}

type Fields = Readonly<Record<string, RawValue>>;
type Row = { readonly fields: Fields; readonly schemas: ReadonlyMap<string, FieldSchema> };

/** Tandem's own envelope always has this block; in the JSON of a string its quotes would be escaped. */
const TANDEM_BLOCK = Buffer.from('"tandem":{');
const HLC_TYPE: ColumnType = { dataType: 'bigint', columnType: 'bigint(20) unsigned' };
const PART_HEADER = 'tandem-part';

/** Every message that is not in Tandem's own envelope, nor a part of one, is taken for Debezium's. */
export function isDebezium({ value, headers }: Pick<IncomingMessage, 'value' | 'headers'>): boolean {
  return headers[PART_HEADER] === undefined && value.indexOf(TANDEM_BLOCK) < 0;
}

/**
 * Null for what is no change of the source's: Kafka's own tombstones, heartbeats, schema changes and transaction marks of the connector, tables of
 * Tandem that do not travel, deletes (see above), and what apply wrote there. Throws change-malformed.
 */
export function readDebezium(value: Buffer, source: DebeziumSource): Change | null {
  if (value.length === 0) return null;
  const message = parse(value);
  const hasSchema = isObject(message['schema']) && 'payload' in message;
  const payload = hasSchema ? message['payload'] : message;
  if (!isObject(payload) || typeof payload['op'] !== 'string' || !isObject(payload['source'])) return null;
  const table = text(payload['source'], 'table');
  const op = operationOf(payload['op']);
  if (op === null || isOwnBusiness(table)) return null;
  const schemas = hasSchema ? message['schema'] as Fields : undefined;
  const row = (field: 'before' | 'after'): Row | null => {
    const fields = payload[field];
    return isObject(fields) ? { fields, schemas: schemasOf(schemas, field) } : null;
  };
  if (table === TOMBSTONE_TABLE) return deletion(payload, row('after'), source);
  return op === 'd' ? null : written(payload, { table, op, before: row('before'), after: row('after') }, source);
}

function written(payload: Fields, { table, op, before, after }: { table: string; op: Operation; before: Row | null; after: Row | null }, source: DebeziumSource): Change | null {
  if (after === null) throw malformed(`a row of ${table}`, 'after', null);
  const version = versionIn(table, after);
  if (isForeign(op, version, source)) return null;
  let images: { types: Types | undefined; before: Image | null; after: Image } | undefined;
  // Anew once the target's table has changed: a change that waits for a column is looked at again.
  const convert = (): { before: Image | null; after: Image } => {
    const types = source.typesOf(table);
    if (images === undefined || images.types !== types) {
      images = { types, before: before === null ? null : imageOf(table, before, types), after: imageOf(table, after, types) };
    }
    return images;
  };
  return {
    ...placeOf(payload, source),
    op, table, version,
    id: idIn(table, after.fields, 'id'),
    unit: integer(after.fields, 'unit'),
    base: op === 'u' && before !== null ? versionIn(table, before) : null,
    // What a column's value means is known once the target's table is, and that may have to be looked up first.
    get before() {
      return convert().before;
    },
    get after() {
      return convert().after;
    },
  };
}

function deletion(payload: Fields, after: Row | null, source: DebeziumSource): Change | null {
  // A tombstone that was itself removed: housekeeping of the source.
  if (after === null) return null;
  const { fields } = after;
  const version = versionIn(TOMBSTONE_TABLE, after);
  if (isForeign(operationOf(String(payload['op'])) ?? 'c', version, source)) return null;
  return {
    ...placeOf(payload, source),
    op: 'd', version, before: null, after: null,
    table: text(fields, 'table_name'),
    id: idIn(TOMBSTONE_TABLE, fields, 'row_id'),
    unit: integer(fields, 'unit'),
  };
}

/** Rows without a version (origin 0) were written past the triggers, in the source's region. */
function isForeign(op: Operation, { origin }: Version, source: DebeziumSource): boolean {
  return op !== 'r' && origin !== source.origin && origin !== 0;
}

function isOwnBusiness(table: string): boolean {
  return table.startsWith('_') && table !== TOMBSTONE_TABLE && table !== HEARTBEAT_TABLE;
}

/** Truncations and messages of a program (t, m) are none of ours. */
function operationOf(op: string): Operation | null {
  return op === 'c' || op === 'u' || op === 'd' || op === 'r' ? op : null;
}

function placeOf(payload: Fields, { region }: DebeziumSource): Pick<Change, 'tsMs' | 'source' | 'transaction' | 'last' | 'position'> {
  const from = payload['source'] as Fields;
  const gtid = typeof from['gtid'] === 'string' ? from['gtid'] : '';
  const source: ChangeSource = {
    region, gtid,
    database: text(from, 'db'),
    serverId: integer(from, 'server_id'),
    file: text(from, 'file'),
    pos: integer(from, 'pos'),
    row: integer(from, 'row'),
  };
  const transaction = isObject(payload['transaction']) ? payload['transaction'] : {};
  return {
    tsMs: integer(from, 'ts_ms'),
    source,
    transaction: {
      id: typeof transaction['id'] === 'string' ? transaction['id'] : gtid || `${source.file}:${source.pos}`,
      order: numeric(transaction['total_order']),
      tableOrder: numeric(transaction['data_collection_order']),
    },
    last: true,
    position: '',
  };
}

function imageOf(table: string, { fields, schemas }: Row, types: Types | undefined): Image {
  const image: Record<string, Value> = {};
  for (const [column, value] of Object.entries(fields)) {
    const type = types?.get(column);
    // Of a column that the target lacks only the name matters: the change waits until the target has it.
    image[column] = type === undefined ? null : valueOf(`${table}.${column}`, type, value, schemas.get(column));
  }
  return image;
}

function versionIn(table: string, { fields, schemas }: Row): Version {
  const column = VERSION_COLUMNS.hlc;
  const hlc = valueOf(`${table}.${column}`, HLC_TYPE, fields[column] ?? null, schemas.get(column));
  if (typeof hlc !== 'string') throw malformed(`a row of ${table}`, column, hlc);
  return { hlc: parseHlc(hlc), origin: integer(fields, VERSION_COLUMNS.origin) };
}

function idIn(table: string, fields: Fields, column: string): string {
  const id = fields[column];
  if (typeof id === 'number' || (typeof id === 'string' && /^-?\d+$/.test(id))) return String(id);
  throw malformed(`a row of ${table}`, column, id);
}

function parse(value: Buffer): Fields {
  let message: unknown;
  try {
    message = JSON.parse(value.toString('utf8'), keepDigits);
  } catch (cause) {
    throw new TandemError('change-malformed', `a message is not JSON: ${value.toString('utf8', 0, 80)}`, { cause });
  }
  if (isObject(message)) return message;
  throw malformed('a message', 'object', message);
}

/** A reviver of JSON.parse: integers beyond 2^53 become text. */
function keepDigits(_key: string, parsed: unknown, context?: { readonly source?: string }): unknown {
  return typeof parsed === 'number' && !Number.isSafeInteger(parsed) && /^-?\d+$/.test(context?.source ?? '') ? context?.source : parsed;
}

/** The schemas of the columns, from the message's schema block: a struct of before, after, source and so on. */
function schemasOf(schema: Fields | undefined, field: 'before' | 'after'): ReadonlyMap<string, FieldSchema> {
  const columns = fieldsOf(fieldsOf(schema).find((each) => each['field'] === field));
  return new Map(columns.map((column) => [String(column['field']), column as FieldSchema]));
}

function fieldsOf(schema: Fields | undefined): readonly Fields[] {
  const fields = schema?.['fields'];
  return Array.isArray(fields) ? (fields as Fields[]) : [];
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw malformed('a message of Debezium', name, value);
}

function integer(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw malformed('a message of Debezium', name, value);
}

function numeric(value: RawValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}

function malformed(what: string, field: string, value: unknown): TandemError {
  return new TandemError('change-malformed', `${what} has no usable ${field}: ${JSON.stringify(value)?.slice(0, 80)}`, { details: { field } });
}
