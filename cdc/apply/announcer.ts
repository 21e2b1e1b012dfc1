/**
 * Tells of poison changes on `tandem.<region>.dead-letters`, in the region's own Kafka, for whoever watches without a database.
 *
 * Invariant: nothing waits for it. What it tells stands in _dead_letters first; a letter may be announced twice (its key is its
 * id) and, once that Kafka is back, none that still waits is missing: those are announced anew at each start.
 */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { sleep } from '../../shared/kernel/deadline.ts';
import type { KafkaClient } from '../../shared/kafka/kafka.ts';
import type { KafkaProducer } from '../../shared/kafka/producer.ts';

/** tandem.<region>.dead-letters: changes of the peer that the region could not write. */
export function deadLetterTopic(region: string): string {
  return `tandem.${region}.dead-letters`;
}

/** What a message of the topic says; the change itself is in `message`, base64 of its bytes. */
export interface Announcement {
  readonly id: string; readonly source: string; readonly partition: number; readonly offset: string; readonly unit: number | null;
  readonly table: string | null; readonly rowId: string | null; readonly code: string; readonly cause: string; readonly tries: number;
  readonly message: string;
}

/** Announcements that wait for Kafka; above that they wait for the next start. */
const QUEUE_MAX = 1_000;
/** A broker with ordinary limits takes a message of this size. */
const MESSAGE_BYTES_MAX = 900_000;
const RETRY_MS = 2_000;

export class Announcer {
  readonly #kafka: KafkaClient;
  readonly #topic: string;
  readonly #log: LogSink;
  readonly #stopping = new AbortController();
  #queue: Announcement[] = [];
  #sending: Promise<void> | undefined;
  #producer: KafkaProducer | undefined;

  constructor({ kafka, region, log }: { readonly kafka: KafkaClient; readonly region: string; readonly log: LogSink }) {
    this.#kafka = kafka;
    this.#topic = deadLetterTopic(region);
    this.#log = log;
  }

  announce(letters: readonly Announcement[]): void {
    if (this.#stopping.signal.aborted) return;
    this.#queue.push(...letters);
    if (this.#queue.length > QUEUE_MAX) this.#queue = this.#queue.slice(-QUEUE_MAX);
    if (this.#queue.length > 0) this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#sending;
    await this.#producer?.close();
  }

  async #send(): Promise<void> {
    while (this.#queue.length > 0 && !this.#stopping.signal.aborted) {
      const [first] = this.#queue;
      if (first === undefined) return;
      try {
        this.#producer ??= await this.#open();
        await this.#producer.send([{ topic: this.#topic, partition: 0, messages: [{ key: first.id, value: textOf(first) }] }]);
        this.#queue.shift();
      } catch (error) {
        this.#log.warn({ err: error, topic: this.#topic, waiting: this.#queue.length }, 'dead letters cannot be announced yet');
        await sleep(RETRY_MS, this.#stopping.signal).catch(() => {});
      }
    }
  }

  async #open(): Promise<KafkaProducer> {
    await this.#kafka.ensureTopic({ topic: this.#topic, partitions: 1, configs: { 'retention.ms': '-1' } });
    return await this.#kafka.producer();
  }
}

/** A change that is too large for the message is named without it: `tandem cdc` shows it from the database. */
function textOf(announcement: Announcement): string {
  const text = JSON.stringify(announcement);
  return text.length <= MESSAGE_BYTES_MAX ? text : JSON.stringify({ ...announcement, message: null });
}
