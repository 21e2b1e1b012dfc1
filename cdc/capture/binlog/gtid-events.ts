/**
 * GTIDs in the binlog's own encodings, of both servers: the one of a transaction, and the set that came before a file.
 *
 * Invariant: what is read is the text that cdc/change/position.ts parses; numbers of 64 bits stay exact.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { formatPosition, parsePosition } from '../../change/position.ts';
import type { Position } from '../../change/position.ts';
import type { ByteReader } from './byte-reader.ts';

const UUID_BYTES = 16;
/** In the highest byte of a set's count: whether its entries carry tags. */
const TAGGED_SET = 1n;

/** "uuid:number" */
export function readMysqlGtid(event: ByteReader): string {
  event.skip(1);
  return `${uuidText(event.slice(UUID_BYTES))}:${event.u64()}`;
}

/** "uuid:tag:number". Fields are numbered and of variable length; the first four are what is wanted. */
export function readTaggedGtid(event: ByteReader): string {
  const version = variable(event);
  if (version !== 1n) throw new TandemError('capture-unreadable', `a tagged GTID of the binlog is in format ${version}, of which nothing is known`);
  variable(event);
  variable(event);
  const isNext = (field: number): boolean => event.left > 0 && event.bytes[event.at] === field << 1;
  const field = (number: number): void => {
    if (!isNext(number)) throw new TandemError('capture-unreadable', `a tagged GTID of the binlog lacks its field ${number}`);
    event.skip(1);
  };
  if (isNext(0)) {
    event.skip(1);
    variable(event);
  }
  field(1);
  const uuid = Buffer.from(Array.from({ length: UUID_BYTES }, () => Number(variable(event))));
  field(2);
  const number = variable(event) >> 1n;
  if (!isNext(3)) return `${uuidText(uuid)}:${number}`;
  event.skip(1);
  return `${uuidText(uuid)}:${event.text(Number(variable(event)))}:${number}`;
}

/** What a MySQL binlog file has before it. */
export function readPreviousGtids(event: ByteReader): Position {
  const count = event.u64();
  const isTagged = count >> 56n === TAGGED_SET;
  const entries = Number(isTagged ? (count >> 8n) & 0xffff_ffff_ffffn : count);
  const texts = Array.from({ length: entries }, () => {
    const uuid = uuidText(event.slice(UUID_BYTES));
    const tag = isTagged ? event.text(Number(variable(event))) : '';
    // The end of an interval is the first number that is not in it.
    const intervals = Array.from({ length: Number(event.u64()) }, () => `${event.u64()}-${event.u64() - 1n}`);
    return [uuid, ...(tag === '' ? [] : [tag]), ...intervals].join(':');
  });
  return parsePosition(texts.join());
}

/** The same of a MariaDB file: the last one of each domain. */
export function readMariaGtidList(event: ByteReader): Position {
  const count = event.u32() & 0x0fff_ffff;
  const texts = Array.from({ length: count }, () => `${event.u32()}-${event.u32()}-${event.u64()}`);
  return parsePosition(texts.join());
}

/** What COM_BINLOG_DUMP_GTID takes. */
export function encodeGtidSet(text: string): Buffer {
  const position = parsePosition(text);
  if (position.flavour === 'mariadb') throw new TandemError('capture-position-gone', `the topic holds ${formatPosition(position)}, a position of MariaDB, but the server is MySQL`);
  const sets = position.flavour === 'mysql' ? [...position.sets] : [];
  const isTagged = sets.some(([source]) => source.includes(':'));
  const count = BigInt(sets.length);
  const parts = [u64(isTagged ? (TAGGED_SET << 56n) | (count << 8n) | TAGGED_SET : count)];
  for (const [source, intervals] of sets) {
    const [uuid = '', tag = ''] = source.split(':');
    parts.push(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
    if (isTagged) parts.push(Buffer.from([tag.length << 1]), Buffer.from(tag));
    parts.push(u64(BigInt(intervals.length)), ...intervals.flatMap(({ from, to }) => [u64(from), u64(to + 1n)]));
  }
  return Buffer.concat(parts);
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** As many ones at the low end of the first byte as bytes follow; the value above them. */
function variable(event: ByteReader): bigint {
  const first = event.u8();
  let more = 0;
  while (more < 8 && ((first >> more) & 1) === 1) more += 1;
  let rest = 0n;
  for (let i = 0; i < more; i += 1) rest |= BigInt(event.u8()) << BigInt(8 * i);
  return more === 8 ? rest : (BigInt(first) >> BigInt(more + 1)) | (rest << BigInt(7 - more));
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
