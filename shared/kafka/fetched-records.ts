/**
 * How kafkajs reads the records of a fetched batch, done anew: positions in one buffer instead of objects around slices.
 *
 * Why: kafkajs 2.2.4 makes a decoder and several big integers for each record; reading a change from a topic costs more
 * than parsing it.
 * Invariant: what it gives is what kafkajs gives (test/shared/kafka/records.test.ts); batches that are compressed, cut off or
 * of another format are left to the original. Importing this file is all there is to it, before the first fetch.
 */
import { createRequire } from 'node:module';
import { assert } from '../kernel/assert.ts';

interface FetchDecoder {
  readonly buffer: Buffer;
  readonly offset: number;
  forward(bytes: number): void;
}

type Headers = Record<string, Buffer | null | (Buffer | null)[]>;

interface BatchContext {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly partitionLeaderEpoch: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly maxTimestamp: string;
  readonly timestampType: number;
}

export type ReadBatch = (decoder: FetchDecoder) => Promise<BatchContext & { readonly records: readonly unknown[] }>;

/** From a batch's beginning: its length, and what follows. */
const AT = { length: 8, epoch: 12, magic: 16, attributes: 21, lastOffsetDelta: 23, firstTimestamp: 27, maxTimestamp: 35, producerId: 43, producerEpoch: 51, firstSequence: 53, count: 57, records: 61 } as const;
const LENGTH_COUNTS_FROM = 12;
const MAGIC = 2;
const CODEC_MASK = 0x7;
const [LOG_APPEND_TIME, IN_TRANSACTION, CONTROL] = [0x8, 0x10, 0x20];
const NO_HEADERS: Headers = Object.freeze({});

const require = createRequire(import.meta.url);
const path = require.resolve('kafkajs/src/protocol/recordBatch/v0/decoder');
export const readOriginal = require(path) as ReadBatch;
const loaded = require.cache[path];
assert(typeof readOriginal === 'function' && loaded !== undefined, 'this kafkajs reads record batches elsewhere: see whether this file is still needed');
loaded.exports = readBatch;

export function readBatch(decoder: FetchDecoder): ReturnType<ReadBatch> {
  const { buffer, offset: start } = decoder;
  const isHead = buffer.length - start >= AT.records;
  const end = isHead ? start + LENGTH_COUNTS_FROM + buffer.readInt32BE(start + AT.length) : 0;
  const attributes = isHead ? buffer.readInt16BE(start + AT.attributes) : 0;
  if (!isHead || end > buffer.length || buffer[start + AT.magic] !== MAGIC || (attributes & CODEC_MASK) !== 0) return readOriginal(decoder);
  decoder.forward(end - start);
  const firstOffset = buffer.readBigInt64BE(start);
  const firstTimestamp = buffer.readBigInt64BE(start + AT.firstTimestamp);
  const maxTimestamp = String(buffer.readBigInt64BE(start + AT.maxTimestamp));
  const context: BatchContext = {
    firstOffset: String(firstOffset),
    firstTimestamp: String(firstTimestamp),
    partitionLeaderEpoch: buffer.readInt32BE(start + AT.epoch),
    inTransaction: (attributes & IN_TRANSACTION) !== 0,
    isControlBatch: (attributes & CONTROL) !== 0,
    lastOffsetDelta: buffer.readInt32BE(start + AT.lastOffsetDelta),
    producerId: String(buffer.readBigInt64BE(start + AT.producerId)),
    producerEpoch: buffer.readInt16BE(start + AT.producerEpoch),
    firstSequence: buffer.readInt32BE(start + AT.firstSequence),
    maxTimestamp,
    timestampType: (attributes & LOG_APPEND_TIME) === 0 ? 0 : 1,
  };
  const batchContext = { ...context, magicByte: MAGIC };
  // Offsets and times stay below 2^53 for a very long time.
  const [offsetBase, timeBase] = [Number(firstOffset), Number(firstTimestamp)];
  const reader = new VarintReader(buffer, start + AT.records);
  const records = Array.from({ length: Math.max(0, buffer.readInt32BE(start + AT.count)) }, () => {
    const recordEnd = reader.varint() + reader.at;
    const recordAttributes = buffer.readInt8(reader.at);
    reader.at += 1;
    const timestampDelta = reader.varint();
    const offsetDelta = reader.varint();
    const record = {
      magicByte: MAGIC,
      attributes: recordAttributes,
      timestamp: context.timestampType === 1 ? maxTimestamp : String(timeBase + timestampDelta),
      offset: String(offsetBase + offsetDelta),
      key: reader.bytes(),
      value: reader.bytes(),
      headers: reader.headers(),
      isControlRecord: context.isControlBatch,
      batchContext,
    };
    reader.at = recordEnd;
    return record;
  });
  return Promise.resolve({ ...context, records });
}

class VarintReader {
  readonly #buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.at = at;
  }

  /** Zigzag; beyond 32 bits, as times may be, in floating point. */
  varint(): number {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = this.#buffer[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    this.at += length;
    return this.#buffer.subarray(this.at - length, this.at);
  }

  /** A name that is repeated has a list of values. */
  headers(): Headers {
    const count = this.varint();
    if (count <= 0) return NO_HEADERS;
    const headers: Headers = {};
    for (let i = 0; i < count; i += 1) {
      const name = String(this.bytes());
      const value = this.bytes();
      const known = headers[name];
      if (known === undefined) headers[name] = value;
      else headers[name] = Array.isArray(known) ? [...known, value] : [known, value];
    }
    return headers;
  }
}
