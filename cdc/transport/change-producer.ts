/**
 * Changes into Kafka: a bounded queue in memory, sent in order, one batch in flight.
 *
 * Invariants: within a partition changes are appended in the order of enqueue(); after a failed send nothing more is sent,
 * as whether the failed batch arrived is unknown: the owner starts over from the topic's tail. There is no linger: what
 * piles up while one batch is in flight is the next batch.
 */
import type { KafkaProducer } from '../../shared/kafka/producer.ts';
import type { OutgoingMessage } from '../../shared/kafka/message.ts';
import { collectGarbage } from '../../shared/kernel/collect-garbage.ts';
import { HEARTBEAT_TABLE } from '../../shared/schema/tables.ts';
import { injectTrace, inSpan } from '../../shared/telemetry/tracing.ts';
import type { RowImage } from '../change/encoded-image.ts';
import { changeKey, changeTopic } from '../change/envelope.ts';
import type { Change } from '../change/envelope.ts';
import { MESSAGE_BYTES_MAX, PART_HEADER, encodeInParts } from './parts.ts';

/** Above this the source is to pause, below half of it to go on. */
export const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** Per request, which is held three times while it is sent. */
export const BATCH_BYTES_MAX = 2 * 1024 * 1024;
/** Headers, offsets and the like, per message. */
const MESSAGE_OVERHEAD_BYTES = 100;

interface Queued {
  readonly partition: number;
  readonly key: string;
  readonly value: Buffer;
  readonly bytes: number;
  /** Heartbeats are traced by nobody. */
  readonly isTraced: boolean;
  /** Of a part of a change that is larger than a message (parts.ts); the change itself follows in the same partition. */
  readonly part: string | undefined;
}

export interface ChangeProducerOptions {
  readonly producer: KafkaProducer;
  readonly region: string;
  /** What the brokers take; larger changes travel in parts. Default MESSAGE_BYTES_MAX. */
  readonly messageBytesMax?: number | undefined;
  readonly onFull: () => void;
  readonly onRoom: () => void;
  readonly onSent: (sent: { readonly messages: number; readonly bytes: number }) => void;
  readonly onError: (error: unknown) => void;
}

export class ChangeProducer {
  readonly #options: ChangeProducerOptions;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #isFull = false;
  #isSending = false;
  #isClosed = false;
  #enqueued = 0;
  #queuedParts = 0;
  #acknowledged = 0;

  constructor(options: ChangeProducerOptions) {
    this.#options = options;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** How many changes were handed in so far; once `acknowledged` has come as far, Kafka has them all. */
  get enqueued(): number {
    return this.#enqueued;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Throws capture-unreadable for a row that is too large to travel even in parts. */
  enqueue(partition: number, change: Change<RowImage>): void {
    if (this.#isClosed) return;
    this.#enqueued += 1;
    const { parts, value } = encodeInParts(change, this.#options.messageBytesMax ?? MESSAGE_BYTES_MAX);
    const isTraced = change.table !== HEARTBEAT_TABLE;
    const key = changeKey(change);
    this.#queuedParts += parts.length;
    for (const part of parts) this.#push({ partition, key, value: part.value, isTraced, part: part.header });
    this.#push({ partition, key, value, isTraced, part: undefined });
    if (!this.#isFull && this.#queuedBytes >= QUEUE_BYTES_MAX) {
      this.#isFull = true;
      this.#options.onFull();
    }
    if (!this.#isSending) void this.#send();
  }

  #push(message: Omit<Queued, 'bytes'>): void {
    const bytes = message.value.length + MESSAGE_OVERHEAD_BYTES;
    this.#queue.push({ ...message, bytes });
    this.#queuedBytes += bytes;
  }

  /** Drops what is queued; a batch in flight may still arrive. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#queue = [];
    await this.#options.producer.close();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    try {
      // One turn of the event loop lets the rest of a transaction that is being read join the batch.
      await new Promise<void>((resolve) => setImmediate(resolve));
      while (this.#queue.length > 0 && !this.#isClosed) {
        const { batch, bytes } = this.#takeBatch();
        await this.#sendBatch(batch);
        this.#countParts(batch);
        this.#queuedBytes -= bytes;
        this.#acknowledged += batch.filter(({ part }) => part === undefined).length;
        this.#options.onSent({ messages: batch.length, bytes });
        if (this.#isFull && this.#queuedBytes < QUEUE_BYTES_MAX / 2 && this.#queuedParts === 0) {
          this.#isFull = false;
          this.#options.onRoom();
        }
      }
    } catch (error) {
      if (this.#isClosed) return;
      this.#isClosed = true;
      this.#options.onError(error);
    } finally {
      this.#isSending = false;
    }
  }

  /** Once the last part is sent, tens of MiB are garbage, and only then may the next such row be read: the bound on memory is for one. */
  #countParts(batch: readonly Queued[]): void {
    const sent = batch.filter(({ part }) => part !== undefined).length;
    this.#queuedParts -= sent;
    if (sent > 0 && this.#queuedParts === 0) collectGarbage();
  }

  async #sendBatch(batch: readonly Queued[]): Promise<void> {
    const { producer, region } = this.#options;
    const topic = changeTopic(region);
    if (!batch.some((queued) => queued.isTraced)) {
      await producer.send(batchesOf(topic, batch, {}));
      return;
    }
    await inSpan('changes send', { kind: 'producer', attributes: { 'messaging.destination.name': topic, 'messaging.batch.message_count': batch.length } }, async () => {
      await producer.send(batchesOf(topic, batch, injectTrace<Record<string, string>>({})));
    });
  }

  #takeBatch(): { batch: Queued[]; bytes: number } {
    let count = 0;
    let bytes = 0;
    for (const queued of this.#queue) {
      if (count > 0 && bytes + queued.bytes > BATCH_BYTES_MAX) break;
      bytes += queued.bytes;
      count += 1;
    }
    return { batch: this.#queue.splice(0, count), bytes };
  }
}

/** Tracing headers go with the first message of each partition: the batch is what is traced. */
function batchesOf(topic: string, queue: readonly Queued[], tracing: Readonly<Record<string, string>>): { topic: string; partition: number; messages: OutgoingMessage[] }[] {
  const byPartition = new Map<number, OutgoingMessage[]>();
  for (const { partition, key, value, part } of queue) {
    const messages = byPartition.get(partition);
    if (part !== undefined) {
      const message = { key, value, headers: { [PART_HEADER]: part } };
      if (messages === undefined) byPartition.set(partition, [message]);
      else messages.push(message);
    } else if (messages === undefined) byPartition.set(partition, [{ key, value, headers: tracing }]);
    else messages.push({ key, value });
  }
  return [...byPartition].map(([partition, messages]) => ({ topic, partition, messages }));
}
