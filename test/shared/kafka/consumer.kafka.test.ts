/** The consumer against a real broker: own offsets, seeks, rebalances, lost brokers, fatal ends. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConsumedBatch, ConsumerOptions, KafkaConsumer } from '../../../shared/kafka/consumer.ts';
import { openKafka } from '../../../shared/kafka/kafka.ts';
import type { KafkaClient } from '../../../shared/kafka/kafka.ts';
import type { KafkaProducer } from '../../../shared/kafka/producer.ts';
import type { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { startKafka } from '../../harness/kafka.ts';
import type { TestKafka } from '../../harness/kafka.ts';
import { recordedLog } from '../recorded-log.ts';
import { until } from '../until.ts';

describe('consumer', () => {
  let server: TestKafka;
  let kafka: KafkaClient;
  let producer: KafkaProducer;
  let topic: string;
  const consumers: KafkaConsumer[] = [];

  beforeAll(async () => {
    server = await startKafka();
    kafka = openKafka({ brokers: [server.broker], clientId: 'test', log: recordedLog() });
    producer = await kafka.producer();
  });

  beforeEach(async () => {
    topic = `t-${crypto.randomUUID()}`;
    await kafka.ensureTopic({ topic, partitions: 2 });
  });

  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((each) => each.stop()));
  });

  afterAll(async () => {
    await producer?.close();
    await kafka?.close();
    await server?.stop();
  });

  const fill = async (partition: number, from: number, to: number): Promise<void> => {
    const messages = Array.from({ length: to - from }, (_, i) => ({ key: 'k', value: String(from + i) }));
    await until('sent', 20_000, async () => (await producer.send([{ topic, partition, messages }])).length === 1);
  };

  const read = (options: Partial<ConsumerOptions> = {}) => {
    const seen: [number, bigint][] = [];
    const fatal = Promise.withResolvers<TandemError>();
    const consumer = kafka.consumer({
      groupId: `g-${crypto.randomUUID()}`, topic, startAt: async () => 0n,
      eachBatch: async ({ partition, messages }: ConsumedBatch) => void seen.push(...messages.map(({ offset }): [number, bigint] => [partition, offset])),
      onFatal: fatal.resolve,
      ...options,
    });
    consumers.push(consumer);
    return { consumer, seen, of: (partition: number) => seen.filter(([p]) => p === partition).map(([, offset]) => offset), fatal: fatal.promise };
  };

  it('begins at the offset that the caller names for each partition, whatever Kafka would say', async () => {
    await fill(0, 0, 10);
    await fill(1, 0, 10);
    const asked: unknown[] = [];
    const { consumer, of } = read({
      startAt: async (partition, offsets) => {
        asked.push(offsets);
        // As slow as a query may be: nothing must be delivered meanwhile.
        await until('some time', 1000, () => true);
        return partition === 0 ? 7n : 10n;
      },
    });
    await consumer.start();
    await fill(1, 10, 12);
    await until('all', 5000, () => of(0).length === 3 && of(1).length === 2);
    expect([of(0), of(1)]).toEqual([[7n, 8n, 9n], [10n, 11n]]);
    expect(asked).toEqual(expect.arrayContaining([{ partition: 0, low: 0n, high: 10n }, { partition: 1, low: 0n, high: 10n }]));
  });

  it('a batch has what was sent, and where the partition ends', async () => {
    await producer.send([{ topic, partition: 0, messages: [{ key: 'a', value: 'x', headers: { h: '1' } }] }]);
    const batches: ConsumedBatch[] = [];
    const { consumer } = read({ eachBatch: async (batch) => void batches.push(batch) });
    await consumer.start();
    await until('it', 5000, () => batches.length === 1);
    expect(batches[0]).toMatchObject({ partition: 0, highWatermark: 1n, messages: [{ offset: 0n, key: 'a', value: Buffer.from('x'), headers: { h: Buffer.from('1') } }] });
  });

  it('a new message arrives within a few ms', async () => {
    const arrived: number[] = [];
    const { consumer } = read({ eachBatch: async () => void arrived.push(performance.now()) });
    await consumer.start();
    await fill(0, 0, 1);
    await until('the first', 5000, () => arrived.length === 1);
    const waits: number[] = [];
    for (let i = 1; i <= 20; i += 1) {
      const sentAtMs = performance.now();
      await fill(0, i, i + 1);
      await until('it', 5000, () => arrived.length === i + 1);
      waits.push((arrived.at(-1) ?? 0) - sentAtMs);
    }
    expect(waits.toSorted((a, b) => a - b)[10]).toBeLessThan(50);
  });

  it('seek reads again from there, and the rest of the batch is stale', async () => {
    await fill(0, 0, 5);
    let times = 0;
    const offsets: bigint[] = [];
    const { consumer } = read({
      eachBatch: async ({ messages, seek, isStale }) => {
        for (const { offset } of messages) {
          if (isStale()) return;
          if (offset === 3n && (times += 1) < 3) seek(2n);
          else offsets.push(offset);
        }
      },
    });
    await consumer.start();
    await until('the end', 5000, () => offsets.at(-1) === 4n);
    expect(offsets).toEqual([0n, 1n, 2n, 2n, 2n, 3n, 4n]);
  });

  it('a handler that throws is fatal once, and nothing more is delivered', async () => {
    await fill(0, 0, 5);
    await fill(1, 0, 5);
    let calls = 0;
    const { consumer, fatal } = read({
      eachBatch: async () => {
        calls += 1;
        throw new Error('broken row');
      },
    });
    await consumer.start();
    expect(await fatal).toMatchObject({ code: 'internal', cause: { message: 'broken row' } });
    await fill(0, 5, 6);
    expect(calls).toBe(1);
  });

  it('an offset that the topic does not hold is fatal at start, not skipped', async () => {
    await fill(0, 0, 3);
    const { consumer } = read({ startAt: async (partition) => (partition === 0 ? 9n : 0n) });
    await expect(consumer.start()).rejects.toMatchObject({ code: 'kafka-offset-lost', details: { wanted: '9', low: '0', high: '3' } });
  });

  it('a second member takes over partitions and asks where to begin; the first knows that its batch is stale', async () => {
    await fill(0, 0, 1);
    await fill(1, 0, 1);
    const groupId = `g-${crypto.randomUUID()}`;
    const assigned: number[][] = [];
    const first = read({ groupId, onAssigned: (partitions) => assigned.push([...partitions]) });
    await first.consumer.start();
    await until('both', 5000, () => first.seen.length === 2);
    const second = read({ groupId, startAt: async () => 1n });
    await second.consumer.start();
    await until('one each', 15_000, () => assigned.at(-1)?.length === 1);
    const mine = assigned.at(-1)?.[0] ?? 0;
    await fill(1 - mine, 1, 3);
    await until('the second reads on', 10_000, () => second.of(1 - mine).length === 2);
    expect(second.of(1 - mine)).toEqual([1n, 2n]);
    expect(first.of(1 - mine)).toEqual([0n]);
  }, 60_000);

  it('reads on from its own position after the broker crashed and came back', async () => {
    await fill(0, 0, 3);
    const { consumer, of, fatal } = read({ startAt: async (partition) => BigInt(of(partition).length) });
    let failure: TandemError | undefined;
    void fatal.then((e) => (failure = e));
    await consumer.start();
    await until('the first', 5000, () => of(0).length === 3);
    await server.kill9();
    await server.restart();
    await fill(0, 3, 6);
    await until('the rest, or an honest end', 30_000, () => of(0).length >= 6 || failure !== undefined);
    expect(failure).toBeUndefined();
    expect(of(0)).toEqual([0n, 1n, 2n, 3n, 4n, 5n]);
  }, 90_000);

  it('a broker that stays away is fatal in the end, so that the process can start anew', async () => {
    const { consumer, fatal } = read();
    await consumer.start();
    await server.kill9();
    try {
      expect(await fatal).toMatchObject({ code: expect.stringMatching(/^kafka|^deadline-exceeded$/) });
    } finally {
      await server.restart();
    }
  }, 90_000);
});
