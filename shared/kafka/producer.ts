/**
 * An idempotent producer that keeps order even over failures.
 *
 * Invariant: what a partition holds of one producer's sends is in the order of the calls, without a hole: one send is in
 * flight at a time, and when one fails, those that already wait behind it fail too, unsent. Within a send kafkajs
 * repeats requests under the same sequence number and the broker drops repetitions.
 *
 * HAZARD: a send that failed by its deadline may have been appended all the same. The next send uses a new producer id,
 * so sending the same again may append it twice; readers bear that.
 */
import { performance } from 'node:perf_hooks';
import type { Producer } from 'kafkajs';
import { assert } from '../kernel/assert.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import type { KafkaConfig } from './link.ts';
import type { OutgoingMessage } from './message.ts';
import { KafkaSession } from './session.ts';

export const SEND_DEADLINE_MS = 5000;
/** Callers that send without awaiting meet this limit instead of filling the memory. */
const QUEUE_MAX = 1000;
const ALL_REPLICAS = -1;

export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly OutgoingMessage[];
}

/** Where a batch came to lie: baseOffset is the offset of its first message. */
export interface SendReceipt {
  readonly topic: string;
  readonly partition: number;
  readonly baseOffset: bigint;
}

export interface KafkaProducer {
  /**
   * Appends all batches, acknowledged by all replicas in sync. The deadline (5 s) counts from the call, waiting in line
   * included. Throws deadline-exceeded, kafka-unavailable, kafka-failed.
   */
  send(batches: readonly PartitionBatch[], options?: { readonly deadlineMs?: number }): Promise<SendReceipt[]>;
  close(): Promise<void>;
}

/** Connects, so that a broker that is not there is noticed at start. Throws kafka-unavailable, deadline-exceeded. */
export async function startProducer(config: KafkaConfig): Promise<KafkaProducer> {
  const session = new KafkaSession(config, (kafka) => kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: () => ({ message }) => message.partition ?? 0,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 8 },
  }));
  try {
    await session.use('connect', SEND_DEADLINE_MS, () => Promise.resolve());
  } catch (e) {
    await session.close();
    throw e;
  }
  return new OrderedProducer(session);
}

class OrderedProducer implements KafkaProducer {
  readonly #session: KafkaSession<Producer>;
  /** Settles when all sends so far have. Never rejects. */
  #tail: Promise<void> = Promise.resolve();
  #queued = 0;
  /** Counts failed sends; a send that was queued under another count is not sent. */
  #failures = 0;

  constructor(session: KafkaSession<Producer>) {
    this.#session = session;
  }

  send(batches: readonly PartitionBatch[], { deadlineMs = SEND_DEADLINE_MS }: { readonly deadlineMs?: number } = {}): Promise<SendReceipt[]> {
    assert(this.#queued < QUEUE_MAX, `more than ${QUEUE_MAX} sends wait: await them`);
    const endsAtMs = performance.now() + deadlineMs;
    const queuedUnder = this.#failures;
    this.#queued += 1;
    const sending = this.#tail.then(async () => {
      if (this.#failures !== queuedUnder) throw new TandemError('kafka-unavailable', 'kafka send: not sent, because a send before it failed');
      try {
        return await this.#sendNow(batches, endsAtMs);
      } catch (e) {
        this.#failures += 1;
        throw e;
      }
    });
    this.#tail = sending.then(() => undefined, () => undefined).finally(() => (this.#queued -= 1));
    return sending;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#session.close();
  }

  #sendNow(batches: readonly PartitionBatch[], endsAtMs: number): Promise<SendReceipt[]> {
    const leftMs = Math.max(0, endsAtMs - performance.now());
    return this.#session.use('send', leftMs, async (producer, timeLeftMs) => {
      const answers = await producer.sendBatch({ acks: ALL_REPLICAS, timeout: Math.ceil(timeLeftMs()), topicMessages: byTopic(batches) });
      return answers.map(({ topicName, partition, baseOffset }) => {
        assert(baseOffset !== undefined, 'a broker of our time names the base offset');
        return { topic: topicName, partition, baseOffset: BigInt(baseOffset) };
      });
    });
  }
}

interface TopicMessages {
  readonly topic: string;
  readonly messages: { key: string; value: string | Buffer; headers?: Record<string, string | Buffer>; partition: number }[];
}

function byTopic(batches: readonly PartitionBatch[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, partition, messages } of batches) {
    const entry = topics.get(topic) ?? { topic, messages: [] };
    topics.set(topic, entry);
    for (const message of messages) entry.messages.push({ ...message, partition });
  }
  return [...topics.values()];
}
