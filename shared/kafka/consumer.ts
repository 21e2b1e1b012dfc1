/**
 * A consumer for readers whose position lives in a database: Kafka is told where to read from, never asked.
 *
 * Invariant: as for one membership (group-member.ts), over as many as it takes: when a broker is lost the membership is
 * thrown away with all its connections, and another one joins from where startAt says then. Handlers of the old one
 * have settled before. Nothing is committed to Kafka.
 *
 * It is crash-only: an outage of half a minute, a throw of the handler, and an offset that is gone go to onFatal once.
 * kafkajs' own restarts are not used: they keep state of before, and hang.
 */
import { performance } from 'node:perf_hooks';
import type { Admin } from 'kafkajs';
import { sleep, withDeadline } from '../kernel/deadline.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';
import { GroupMember } from './group-member.ts';
import { translateKafkaError } from './kafka-errors.ts';
import type { KafkaConfig } from './link.ts';
import type { IncomingMessage, PartitionOffsets } from './message.ts';
import type { KafkaSession } from './session.ts';

const START_DEADLINE_MS = 20_000;
const OUTAGE_MS_MAX = 30_000;
const JOIN_DEADLINE_MS = 15_000;
const REJOIN_PAUSE_MS = 250;

export interface ConsumedBatch {
  readonly partition: number;
  /** Never empty. */
  readonly messages: readonly IncomingMessage[];
  readonly highWatermark: bigint;
  /** Reads on from `offset`; the rest of this batch is void: return from the handler. */
  seek(offset: bigint): void;
  /** Stops fetching this partition, others go on; the result resumes it. Returning from the handler first is in order. */
  pause(): () => void;
  /** Call between long steps, else the group takes the partition away after sessionTimeoutMs. Never throws: see isStale. */
  heartbeat(): Promise<void>;
  /** True once the partition was taken away, the consumer stops, or seek was called: stop working on this batch. */
  isStale(): boolean;
}

export interface ConsumerOptions {
  readonly groupId: string;
  readonly topic: string;
  /** The offset to read first, asked for each partition whenever it is assigned; must lie in [low, high]. A throw is fatal. */
  readonly startAt: (partition: number, offsets: PartitionOffsets) => Promise<bigint>;
  /** Return when the batch is dealt with. A throw is fatal. Set a deadline inside: nothing here ends a handler that hangs. */
  readonly eachBatch: (batch: ConsumedBatch) => Promise<void>;
  /** Called at most once, after which nothing more is delivered: let the process exit and start anew. */
  readonly onFatal: (error: TandemError) => void;
  /** Called after each assignment, once the start of each partition is known, with the partitions this member now reads. */
  readonly onAssigned?: (partitions: readonly number[]) => void;
  /** How many partitions are handled side by side, 1 by default; one partition is always in order. */
  readonly concurrency?: number;
  readonly sessionTimeoutMs?: number;
  /** Bytes of one fetch, 1 MiB a partition and 10 MiB in all by default; a message that is larger comes all the same. */
  readonly fetchBytes?: { readonly partition: number; readonly total: number };
}

export interface KafkaConsumer {
  /** Resolves once this member has joined its group and knows where to start. Throws; onFatal is then not called. */
  start(): Promise<void>;
  /** Never throws. */
  stop(): Promise<void>;
}

export function createConsumer(config: KafkaConfig, admin: KafkaSession<Admin>, options: ConsumerOptions): KafkaConsumer {
  return new SupervisedConsumer(config, admin, options);
}

class SupervisedConsumer implements KafkaConsumer {
  readonly #config: KafkaConfig;
  readonly #admin: KafkaSession<Admin>;
  readonly #options: ConsumerOptions;
  readonly #log: LogSink;
  readonly #stopping = new AbortController();
  #member: GroupMember | undefined;

  constructor(config: KafkaConfig, admin: KafkaSession<Admin>, options: ConsumerOptions) {
    this.#config = config;
    this.#admin = admin;
    this.#options = options;
    this.#log = config.log;
  }

  async start(): Promise<void> {
    try {
      await this.#join(START_DEADLINE_MS);
    } catch (e) {
      await this.stop();
      throw e;
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#member?.stop();
  }

  /** Joins anew until it works, something that time does not heal comes up, or the time is over. */
  async #join(budgetMs: number): Promise<void> {
    const endsAtMs = performance.now() + budgetMs;
    for (;;) {
      const leftMs = endsAtMs - performance.now();
      const member = new GroupMember(this.#config, this.#admin, this.#options, (e) => void this.#onEnd(e));
      this.#member = member;
      try {
        await withDeadline(`kafka consumer ${this.#options.groupId} joins`, Math.max(0, Math.min(JOIN_DEADLINE_MS, leftMs)), () => member.start(), this.#stopping.signal);
        return;
      } catch (e) {
        await member.stop();
        const error = translateKafkaError(e, `consumer ${this.#options.groupId}`);
        if (this.#stopping.signal.aborted || !isOutage(error) || performance.now() + REJOIN_PAUSE_MS > endsAtMs) throw error;
      }
      await sleep(REJOIN_PAUSE_MS, this.#stopping.signal);
    }
  }

  async #onEnd(error: TandemError): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    try {
      if (!isOutage(error)) throw error;
      this.#log.warn({ err: error, groupId: this.#options.groupId }, 'kafka: a consumer lost its broker, joining anew');
      await this.#member?.stop();
      await this.#join(OUTAGE_MS_MAX);
      this.#log.info({ groupId: this.#options.groupId }, 'kafka: a consumer reads again');
    } catch (e) {
      if (this.#stopping.signal.aborted) return;
      this.#stopping.abort();
      this.#options.onFatal(translateKafkaError(e, `consumer ${this.#options.groupId}`));
    }
  }
}

/** What time may heal: a broker that is away, a coordinator that is loading. */
function isOutage(e: TandemError): boolean {
  return isTandemError(e, 'kafka-unavailable') || isTandemError(e, 'deadline-exceeded');
}
