/**
 * How kafkajs puts a produce request into bytes, done anew: one buffer of the right size, written once.
 *
 * Why: kafkajs 2.2.4 makes a zeroed buffer for each record, each header and each layer around them, copies every byte five
 * times and sums it byte by byte; for changes that costs more than reading them from the binlog does.
 * Invariant: byte for byte what kafkajs writes (test/shared/kafka/records.test.ts). Importing this file is all there is to
 * it, before the first send; a kafkajs that is built otherwise fails loudly here.
 */
import { createRequire } from 'node:module';
import { assert } from '../kernel/assert.ts';
import { crc32c } from './crc32c.ts';

export interface ProduceRequest {
  readonly acks: number;
  readonly timeout: number;
  readonly transactionalId?: string | null | undefined;
  readonly producerId?: unknown;
  readonly producerEpoch?: number;
  readonly compression?: number;
  readonly topicData: readonly { readonly topic: string; readonly partitions: readonly PartitionData[] }[];
}

interface PartitionData { readonly partition: number; readonly firstSequence?: number; readonly messages: readonly Message[] }

interface Message {
  readonly key?: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers?: Readonly<Record<string, string | Buffer | readonly (string | Buffer)[]>>;
  readonly timestamp?: string | number;
}

interface EncodableRequest { encode: () => Promise<unknown> }
type MakeRequest = (request: ProduceRequest) => EncodableRequest;

/** Of a record batch, from its first offset to its number of records. */
const BATCH_HEAD_BYTES = 61;
const BATCH_LENGTH_AT = 8;
const CRC_AT = 17;
const CHECKED_FROM = 21;
const MAGIC = 2;
const NO_PRODUCER = '-1';
/** Up to here a buffer that is too small is doubled. */
const GROWTH_BYTES_MAX = 64 * 1024;

const require = createRequire(import.meta.url);
const path = require.resolve('kafkajs/src/protocol/requests/produce/v3/request');
export const makeOriginal = require(path) as MakeRequest;
const loaded = require.cache[path];
assert(typeof makeOriginal === 'function' && loaded !== undefined, 'this kafkajs makes produce requests elsewhere: see whether this file is still needed');

/** Versions 4 to 7 are made of this one by kafkajs itself. What Tandem does not send is left to the original. */
loaded.exports = (request: ProduceRequest): EncodableRequest => {
  const original = makeOriginal(request);
  const isStamped = request.topicData.some(({ partitions }) => partitions.some(({ messages }) => messages.some(({ timestamp }) => timestamp !== undefined)));
  const isPlain = (request.compression ?? 0) === 0 && (request.transactionalId ?? null) === null && !isStamped;
  if (isPlain) original.encode = () => Promise.resolve(encodeProduceRequest(request));
  return original;
};

/** The layers around a payload copy it: at least into memory of the right size that is not zeroed before. */
const { prototype: encoder } = require('kafkajs/src/protocol/encoder') as { prototype: { buf: Buffer; offset: number; ensureAvailable(bytes: number): void } };
assert(typeof encoder.ensureAvailable === 'function', 'this kafkajs encodes otherwise: see whether this file is still needed');
encoder.ensureAvailable = function ensureAvailable(this: { buf: Buffer; offset: number }, bytes: number): void {
  const wanted = this.offset + bytes;
  if (wanted <= this.buf.length) return;
  const grown = Buffer.allocUnsafe(Math.max(wanted, Math.min(2 * this.buf.length, GROWTH_BYTES_MAX)));
  this.buf.copy(grown, 0, 0, this.offset);
  this.buf = grown;
};

/** What kafkajs takes for one of its encoders. */
export function encodeProduceRequest(request: ProduceRequest): { readonly buf: Buffer; readonly buffer: Buffer } {
  const topics = request.topicData.map(({ topic, partitions }) => ({
    name: Buffer.from(topic, 'utf8'),
    batches: partitions.map((partition) => ({ ...partition, sizes: partition.messages.map((message, offset) => sizesOf(message, offset)) })),
  }));
  const bytes = 12 + topics.reduce((sum, { name, batches }) => sum + 2 + name.length + 4 + batches.reduce((inner, batch) => inner + 8 + batchBytes(batch), 0), 0);
  const out = Buffer.allocUnsafe(bytes);
  let at = out.writeInt16BE(-1, 0);
  at = out.writeInt16BE(request.acks, at);
  at = out.writeInt32BE(request.timeout, at);
  at = out.writeInt32BE(topics.length, at);
  for (const { name, batches } of topics) {
    at = out.writeInt16BE(name.length, at);
    at += name.copy(out, at);
    at = out.writeInt32BE(batches.length, at);
    for (const batch of batches) {
      at = out.writeInt32BE(batch.partition, at);
      at = out.writeInt32BE(batchBytes(batch), at);
      at = writeBatch(out, at, batch, batch.sizes, request);
    }
  }
  assert(at === out.length, `a produce request of ${out.length} bytes was written in ${at}`);
  return { buf: out, buffer: out };
}

function batchBytes({ sizes }: { readonly sizes: readonly RecordSizes[] }): number {
  return BATCH_HEAD_BYTES + sizes.reduce((sum, { body }) => sum + varintBytes(body) + body, 0);
}

function writeBatch(out: Buffer, start: number, { messages, firstSequence = 0 }: PartitionData, sizes: readonly RecordSizes[], { producerId, producerEpoch = 0 }: ProduceRequest): number {
  const nowMs = BigInt(Date.now());
  let at = out.writeBigInt64BE(0n, start);
  at = out.writeInt32BE(0, at);
  at = out.writeInt32BE(0, at);
  at = out.writeInt8(MAGIC, at);
  at = out.writeUInt32BE(0, at);
  at = out.writeInt16BE(0, at);
  at = out.writeInt32BE(messages.length - 1, at);
  at = out.writeBigInt64BE(nowMs, at);
  at = out.writeBigInt64BE(nowMs, at);
  at = out.writeBigInt64BE(BigInt(String(producerId ?? NO_PRODUCER)), at);
  at = out.writeInt16BE(producerEpoch, at);
  at = out.writeInt32BE(firstSequence, at);
  at = out.writeInt32BE(messages.length, at);
  for (const [i, message] of messages.entries()) at = writeRecord(out, at, message, sizes[i] as RecordSizes, i);
  out.writeInt32BE(at - start - BATCH_LENGTH_AT - 4, start + BATCH_LENGTH_AT);
  out.writeUInt32BE(crc32c(out, start + CHECKED_FROM, at), start + CRC_AT);
  return at;
}

/** `key` and `value`: -1 for null. `body`: the record without its own length. */
interface RecordSizes { readonly key: number; readonly value: number; readonly body: number }

/** Attributes and the difference of its time from the batch's, which is none, take a byte each. */
function sizesOf(message: Message, offset: number): RecordSizes {
  const [key, value] = [bytesOf(message.key), bytesOf(message.value)];
  let body = 2 + varintBytes(offset) + varintBytes(key) + Math.max(0, key) + varintBytes(value) + Math.max(0, value);
  const headers = headersOf(message);
  body += varintBytes(headers.length);
  for (const [name, header] of headers) {
    const [nameBytes, headerBytes] = [Buffer.byteLength(name), bytesOf(header)];
    body += varintBytes(nameBytes) + nameBytes + varintBytes(headerBytes) + headerBytes;
  }
  return { key, value, body };
}

function writeRecord(out: Buffer, start: number, message: Message, sizes: RecordSizes, offset: number): number {
  let at = writeVarint(out, start, sizes.body);
  out[at++] = 0;
  out[at++] = 0;
  at = writeVarint(out, at, offset);
  at = writeBytes(out, writeVarint(out, at, sizes.key), message.key ?? null);
  at = writeBytes(out, writeVarint(out, at, sizes.value), message.value);
  const headers = headersOf(message);
  at = writeVarint(out, at, headers.length);
  for (const [name, header] of headers) {
    at = writeBytes(out, writeVarint(out, at, Buffer.byteLength(name)), name);
    at = writeBytes(out, writeVarint(out, at, bytesOf(header)), header);
  }
  return at;
}

const NO_HEADERS: readonly [string, string | Buffer][] = [];

function headersOf({ headers }: Message): readonly (readonly [string, string | Buffer])[] {
  if (headers === undefined) return NO_HEADERS;
  return Object.entries(headers).flatMap(([name, given]) => (Array.isArray(given) ? given.map((each: string | Buffer) => [name, each] as const) : [[name, given as string | Buffer] as const]));
}

function bytesOf(value: string | Buffer | null | undefined): number {
  if (value === null || value === undefined) return -1;
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length;
}

function writeBytes(out: Buffer, at: number, value: string | Buffer | null): number {
  if (value === null) return at;
  if (typeof value === 'string') return at + out.write(value, at);
  out.set(value, at);
  return at + value.length;
}

/** Zigzag: small numbers of either sign are short. */
function varintBytes(value: number): number {
  let left = ((value << 1) ^ (value >> 31)) >>> 0;
  let bytes = 1;
  for (; left > 0x7f; left >>>= 7) bytes += 1;
  return bytes;
}

function writeVarint(out: Buffer, start: number, value: number): number {
  let at = start;
  let left = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; left > 0x7f; left >>>= 7) out[at++] = (left & 0x7f) | 0x80;
  out[at++] = left;
  return at;
}
