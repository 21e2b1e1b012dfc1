/**
 * A kafkajs producer or admin client that is connected when needed and thrown away when it fails.
 *
 * Invariant: each use settles by its deadline, and a client that let a use fail is never used again: after a lost
 * broker kafkajs may hang or answer from a state nobody knows.
 */
import { performance } from 'node:perf_hooks';
import { withDeadline } from '../kernel/deadline.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import { translateKafkaError } from './kafka-errors.ts';
import { KafkaLink } from './link.ts';
import type { KafkaConfig } from './link.ts';
import type { Kafka } from 'kafkajs';

const CLOSE_DEADLINE_MS = 2000;

interface Connectable {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
}

interface Opened<C> {
  readonly link: KafkaLink;
  readonly client: C;
  readonly connected: Promise<void>;
}

export class KafkaSession<C extends Connectable> {
  readonly #config: KafkaConfig;
  readonly #make: (kafka: Kafka) => C;
  #opened: Opened<C> | undefined;
  #isClosed = false;

  constructor(config: KafkaConfig, make: (kafka: Kafka) => C) {
    this.#config = config;
    this.#make = make;
  }

  /** Connects where needed and runs. Throws deadline-exceeded, kafka-unavailable, kafka-failed. */
  async use<T>(what: string, deadlineMs: number, run: (client: C, leftMs: () => number) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new TandemError('kafka-unavailable', `kafka ${what}: the client is closed`);
    const endsAtMs = performance.now() + deadlineMs;
    const opened = (this.#opened ??= this.#open());
    try {
      return await withDeadline(`kafka ${what}`, deadlineMs, async () => {
        await opened.connected;
        return run(opened.client, () => Math.max(1, endsAtMs - performance.now()));
      });
    } catch (e) {
      opened.link.cut();
      if (this.#opened === opened) this.#opened = undefined;
      throw translateKafkaError(e, what);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened === undefined) return;
    await withDeadline('kafka disconnect', CLOSE_DEADLINE_MS, () => opened.client.disconnect()).catch(() => undefined);
    opened.link.cut();
  }

  #open(): Opened<C> {
    const link = new KafkaLink(this.#config);
    const client = this.#make(link.kafka);
    const connected = client.connect();
    // use() sees the failure; here it only must not count as unhandled when use() gave up before it came.
    connected.catch(() => undefined);
    return { link, client, connected };
  }
}
