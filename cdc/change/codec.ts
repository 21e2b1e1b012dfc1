/**
 * A change as JSON text and back.
 *
 * Invariant: decode(encode(change)) equals the change. A reader ignores fields it does not know and takes defaults for
 * those that an older writer did not send; what it cannot do without is an error that names the field.
 * Deliberately absent: Kafka (cdc/transport) and the meaning of columns.
 */
import { formatHlc, parseHlc } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import { isTandemError, TandemError } from '../../shared/kernel/tandem-error.ts';
import { ENVELOPE_VERSION } from './envelope.ts';
import type { Change, Image, Operation } from './envelope.ts';
import { baseVersionOf } from './image.ts';

const CONNECTOR = 'tandem-mysql';
const SERVER_NAME_PREFIX = 'tandem.';

export function encodeChange(change: Change): string {
  const { source, transaction } = change;
  const base = baseVersionOf(change);
  return JSON.stringify({
    op: change.op,
    ts_ms: change.tsMs,
    source: {
      version: String(ENVELOPE_VERSION),
      connector: CONNECTOR,
      name: `${SERVER_NAME_PREFIX}${source.region}`,
      ts_ms: change.tsMs,
      db: source.database,
      table: change.table,
      server_id: source.serverId,
      gtid: source.gtid,
      file: source.file,
      pos: source.pos,
      row: source.row,
      schema: source.schema,
    },
    transaction: { id: transaction.id, total_order: transaction.order, data_collection_order: transaction.tableOrder },
    tandem: {
      v: ENVELOPE_VERSION,
      hlc: formatHlc(change.version.hlc),
      origin: change.version.origin,
      unit: change.unit,
      id: change.id,
      last: change.last,
      position: change.position,
      base: base === null ? undefined : `${formatHlc(base.hlc)}/${base.origin}`,
    },
    after: change.after,
    before: change.before,
  });
}

/** Throws change-malformed, naming the field. */
export function decodeChange(text: string): Change {
  const envelope = object(parse(text), 'envelope');
  const source = object(envelope['source'], 'source');
  const transaction = object(envelope['transaction'], 'transaction');
  const tandem = object(envelope['tandem'], 'tandem');
  const version = integer(tandem['v'], 'tandem.v');
  if (version < 1) throw malformed('tandem.v', version);
  const op = operation(envelope['op']);
  const change = {
    op,
    table: string(source['table'], 'source.table'),
    id: string(tandem['id'], 'tandem.id'),
    unit: integer(tandem['unit'], 'tandem.unit'),
    version: { hlc: hlc(tandem['hlc']), origin: integer(tandem['origin'], 'tandem.origin') },
    before: image(envelope['before'], 'before'),
    after: image(envelope['after'], 'after'),
    tsMs: integer(envelope['ts_ms'], 'ts_ms'),
    source: {
      region: string(source['name'], 'source.name').replace(SERVER_NAME_PREFIX, ''),
      database: string(source['db'], 'source.db'),
      serverId: integer(source['server_id'], 'source.server_id'),
      gtid: string(source['gtid'], 'source.gtid'),
      file: string(source['file'], 'source.file'),
      pos: integer(source['pos'], 'source.pos'),
      row: integer(source['row'] ?? 0, 'source.row'),
      ...(source['schema'] === undefined ? {} : { schema: string(source['schema'], 'source.schema') }),
    },
    transaction: {
      id: string(transaction['id'], 'transaction.id'),
      order: integer(transaction['total_order'], 'transaction.total_order'),
      tableOrder: integer(transaction['data_collection_order'], 'transaction.data_collection_order'),
    },
    last: boolean(tandem['last'], 'tandem.last'),
    position: string(tandem['position'], 'tandem.position'),
    ...(tandem['base'] === undefined ? {} : { base: base(tandem['base']) }),
  };
  if (op !== 'd' && change.after === null) throw malformed('after', null);
  return change;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TandemError('change-malformed', `a change is not JSON: ${text.slice(0, 80)}`, { cause });
  }
}

function hlc(value: unknown): Change['version']['hlc'] {
  try {
    return parseHlc(string(value, 'tandem.hlc'));
  } catch (e) {
    if (isTandemError(e, 'change-malformed')) throw e;
    throw malformed('tandem.hlc', value);
  }
}

function base(value: unknown): Version {
  const [reading, origin] = string(value, 'tandem.base').split('/');
  if (origin === undefined || !/^\d{1,3}$/.test(origin)) throw malformed('tandem.base', value);
  return { hlc: hlc(reading), origin: Number(origin) };
}

function operation(value: unknown): Operation {
  if (value === 'c' || value === 'u' || value === 'd' || value === 'r') return value;
  throw malformed('op', value);
}

function image(value: unknown, field: string): Image | null {
  return value === null || value === undefined ? null : (object(value, field) as Image);
}

function object(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(field, value);
  return value as Record<string, unknown>;
}

function string(value: unknown, field: string): string {
  if (typeof value !== 'string') throw malformed(field, value);
  return value;
}

function integer(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw malformed(field, value);
  return value;
}

function boolean(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') throw malformed(field, value);
  return value;
}

function malformed(field: string, value: unknown): TandemError {
  return new TandemError('change-malformed', `a change has no usable ${field}: ${JSON.stringify(value)?.slice(0, 80)}`, {
    details: { field },
  });
}
