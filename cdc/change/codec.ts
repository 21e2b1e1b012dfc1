/**
 * A change as JSON text and back.
 *
 * Invariant: decode(encode(change)) equals the change. A reader ignores fields it does not know and takes defaults for
 * those that an older writer did not send; what it cannot do without is an error that names the field.
 * Deliberately absent: Kafka (cdc/transport) and the meaning of columns.
 */
import { parseHlc } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import { isTandemError, TandemError } from '../../shared/kernel/tandem-error.ts';
import { EncodedImage } from './encoded-image.ts';
import type { RowImage } from './encoded-image.ts';
import type { Change, Image, Operation, PartsOfChange } from './envelope.ts';
import { SERVER_NAME_PREFIX, headOf, readHead } from './head.ts';


export function encodeChange(change: Change<RowImage>): string {
  return encodeChangeBytes(change).toString('utf8');
}

/**
 * The message that stands for a change whose own encoding went ahead in parts (cdc/transport/parts.ts): all but its images.
 */
export function encodeEnvelope(change: Change<RowImage>, parts: PartsOfChange): Buffer {
  const head = headOf(change, `,"parts":{"sha256":"${parts.sha256}","count":${parts.count},"bytes":${parts.bytes}}`);
  return Buffer.from(`${head},"after":null,"before":null}`);
}

/** What stands first in the bytes is what every reader needs; `before` comes last, so that it can be left unread. */
export function encodeChangeBytes(change: Change<RowImage>): Buffer {
  const head = `${headOf(change)},"after":`;
  const after = imageText(change.after);
  const before = imageText(change.before);
  const headBytes = Buffer.byteLength(head);
  const bytes = Buffer.allocUnsafe(headBytes + after.length + BEFORE.length + before.length + 1);
  bytes.write(head, 0, headBytes, 'utf8');
  bytes.set(after, headBytes);
  bytes.set(BEFORE, headBytes + after.length);
  bytes.set(before, headBytes + after.length + BEFORE.length);
  bytes[bytes.length - 1] = CLOSING_BRACE;
  return bytes;
}

/** The same bytes in pieces, the images not copied: for changes that are too large to be had twice. */
export function encodeChangePieces(change: Change<RowImage>): Buffer[] {
  return [Buffer.from(`${headOf(change)},"after":`), imageText(change.after), BEFORE, imageText(change.before), Buffer.of(CLOSING_BRACE)];
}

/** How many bytes the images of a change take, as far as that is known without encoding them. */
export function imageBytes({ before, after }: Change<RowImage>): number {
  return [before, after].reduce((sum, image) => sum + (image instanceof EncodedImage ? image.text.length : 0), 0);
}

const BEFORE = Buffer.from(',"before":');
const CLOSING_BRACE = 0x7d;
const NULL_TEXT = Buffer.from('null');
function imageText(image: RowImage | null): Buffer {
  if (image === null) return NULL_TEXT;
  return image instanceof EncodedImage ? image.text : Buffer.from(stringifyImage(image));
}

/** As JSON.stringify does it, but keeps the sign of -0. */
export function stringifyImage(image: Image): string {
  if (!Object.values(image).some((value) => Object.is(value, -0))) return JSON.stringify(image);
  const members = Object.entries(image).map(([column, value]) => `${JSON.stringify(column)}:${Object.is(value, -0) ? '-0' : JSON.stringify(value)}`);
  return `{${members.join()}}`;
}

/**
 * A writer of today puts `before` last: it is parsed when somebody looks at it, which for most changes nobody does. What
 * is wrong with it is then thrown there. Throws change-malformed, naming the field.
 */
export function decodeChange(message: string | Buffer): Change {
  const bytes = typeof message === 'string' ? Buffer.from(message, 'utf8') : message;
  const isLast = bytes.length > NO_BEFORE.length && NO_BEFORE.compare(bytes, bytes.length - NO_BEFORE.length) === 0;
  const at = isLast ? bytes.length - NO_BEFORE.length : bytes.indexOf(BEFORE_OBJECT);
  const text = at < 0 ? '' : bytes.toString('utf8', 0, at);
  const whole = (): Record<string, unknown> => object(parse(bytes.toString('utf8')), 'envelope');
  const before = (): Image | null => {
    if (isLast) return null;
    return image(tryParse(bytes.toString('utf8', at + BEFORE.length, bytes.length - 1)) ?? whole()['before'], 'before');
  };
  const head = readHead(text);
  // Cut in the wrong place, where a column is called "before", the rest is no JSON.
  const after = head === undefined ? undefined : tryParse(text.slice(head.length));
  if (head !== undefined && after !== undefined && (after !== null || head.op === 'd')) return head.change(image(after, 'after'), before);
  const envelope = text === '' ? undefined : tryParse(`${text}}`);
  // Without all that is needed it was not the envelope's own `before`, or a newer writer put more behind it.
  if (typeof envelope === 'object' && envelope !== null && REQUIRED.every((field) => envelope[field] !== undefined)) return changeOf(envelope, before);
  const given = whole();
  return changeOf(given, image(given['before'], 'before'));
}

const BEFORE_OBJECT = Buffer.from(',"before":{');
const NO_BEFORE = Buffer.from(',"before":null}');
const REQUIRED = ['op', 'source', 'transaction', 'tandem', 'after'] as const;

function changeOf(envelope: Record<string, unknown>, given: Image | null | (() => Image | null)): Change {
  let before = given;
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
    get before(): Image | null {
      return typeof before === 'function' ? (before = before()) : before;
    },
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
      schema: source['schema'] === undefined ? undefined : string(source['schema'], 'source.schema'),
    },
    transaction: {
      id: string(transaction['id'], 'transaction.id'),
      order: integer(transaction['total_order'], 'transaction.total_order'),
      tableOrder: integer(transaction['data_collection_order'], 'transaction.data_collection_order'),
    },
    last: boolean(tandem['last'], 'tandem.last'),
    position: string(tandem['position'], 'tandem.position'),
    base: tandem['base'] === undefined ? undefined : base(tandem['base']),
    parts: tandem['parts'] === undefined ? undefined : partsOf(object(tandem['parts'], 'tandem.parts')),
  };
  if (op !== 'd' && change.after === null && change.parts === undefined) throw malformed('after', null);
  return change;
}

function tryParse(text: string): Record<string, unknown> | null | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown> | null;
  } catch {
    return undefined;
  }
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

function partsOf(parts: Record<string, unknown>): PartsOfChange {
  return {
    sha256: string(parts['sha256'], 'tandem.parts.sha256'),
    count: integer(parts['count'], 'tandem.parts.count'),
    bytes: integer(parts['bytes'], 'tandem.parts.bytes'),
  };
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
