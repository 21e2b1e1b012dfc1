/** What we put in place of kafkajs' own encoding and decoding of records is the same, byte for byte and field for field. */
import { createRequire } from 'node:module';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { crc32c } from '../../../shared/kafka/crc32c.ts';
import { readBatch, readOriginal } from '../../../shared/kafka/fetched-records.ts';
import { encodeProduceRequest, makeOriginal } from '../../../shared/kafka/produce-request.ts';
import type { ProduceRequest } from '../../../shared/kafka/produce-request.ts';

const require = createRequire(import.meta.url);
const originalCrc = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => { buffer: Buffer; offset: number; forward(bytes: number): void };

const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const message = fc.record({
  key: fc.oneof(text, bytes),
  value: fc.oneof(text, bytes, fc.integer({ min: 100, max: 20_000 }).map((size) => Buffer.alloc(size, 7))),
  headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 9 }).filter((name) => name !== '__proto__'), text, { maxKeys: 3 }),
});
const partition = fc.record({ partition: fc.nat({ max: 63 }), firstSequence: fc.nat(), messages: fc.array(message, { minLength: 1, maxLength: 80 }) });
const request: fc.Arbitrary<ProduceRequest> = fc.record({
  acks: fc.constant(-1), timeout: fc.nat(), producerId: fc.bigInt({ min: -1n, max: 2n ** 62n }).map(String), producerEpoch: fc.nat({ max: 30_000 }),
  topicData: fc.array(fc.record({ topic: fc.string({ minLength: 1, maxLength: 20 }), partitions: fc.array(partition, { maxLength: 3 }) }), { maxLength: 2 }),
});

afterEach(() => void vi.useRealTimers());

describe('records', () => {
  it('a produce request has the very bytes that kafkajs gives it', async () => {
    vi.useFakeTimers({ now: 1_790_000_000_123, toFake: ['Date'] });
    await fc.assert(fc.asyncProperty(request, async (given) => {
      const theirs = (await makeOriginal(given).encode()) as { buffer: Buffer };
      expect(encodeProduceRequest(given).buffer.equals(theirs.buffer)).toBe(true);
    }), { numRuns: 60 });
  });

  it('a fetched batch gives the records that kafkajs reads from it', async () => {
    await fc.assert(fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 30 }), fc.nat({ max: 1_000_000 }), async (messages, offset) => {
      const produced = encodeProduceRequest({ acks: -1, timeout: 1, topicData: [{ topic: 't', partitions: [{ partition: 0, messages }] }] }).buffer;
      const batch = produced.subarray(2 + 2 + 4 + 4 + 2 + 1 + 4 + 4 + 4);
      batch.writeBigInt64BE(BigInt(offset), 0);
      const [ours, theirs] = [new Decoder(batch), new Decoder(batch)];
      expect(await readBatch(ours)).toEqual(await readOriginal(theirs));
      expect(ours.offset).toBe(theirs.offset);
    }), { numRuns: 60 });
  });

  it('a batch that is cut off is refused as kafkajs refuses it', async () => {
    const whole = encodeProduceRequest({ acks: -1, timeout: 1, topicData: [{ topic: 't', partitions: [{ partition: 0, messages: [{ value: 'text' }] }] }] }).buffer.subarray(27);
    for (let length = 12; length < whole.length; length += 7) {
      await expect(readBatch(new Decoder(whole.subarray(0, length)))).rejects.toThrow(expect.objectContaining({ name: 'KafkaJSPartialMessageError' }));
    }
  });

  it('the checksum is CRC-32C, at every length', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283);
    fc.assert(fc.property(bytes, (given) => {
      expect(crc32c(given)).toBe(originalCrc(given));
    }));
  });
});
