/**
 * One region's apply: the peer's topic → this region's database, each partition on its own, in sessions.
 *
 * Invariants: it can be killed at any instruction and started again, any number of times, even twice at once; the outcome
 * is the same. A session ends when its consumer does (Kafka is away, a gap); the next begins at the checkpoints. While
 * there is none, it says why in `trouble`, and the last ten minutes of lag can still be asked for.
 * Deliberately absent: HTTP, environment (main.ts), and how a change is written (partition-apply.ts).
 */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { Regions } from '../../shared/kernel/region.ts';
import { runSessions } from '../../shared/kernel/sessions.ts';
import { TandemError, isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { KafkaConsumer } from '../../shared/kafka/consumer.ts';
import type { KafkaClient } from '../../shared/kafka/kafka.ts';
import type { PartitionOffsets } from '../../shared/kafka/message.ts';
import type { MysqlConfig } from '../../shared/mysql/database.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import { HEARTBEAT_TABLE } from '../../shared/schema/tables.ts';
import { changeTopic } from '../change/envelope.ts';
import { firstOffset, logFirstOffset } from '../transport/change-consumer.ts';
import type { ApplyObserver } from './apply-metrics.ts';

import type { DeadLetters } from './dead-letters.ts';
import { DriftWatch } from './drift-watch.ts';
import { LagRing, parseServerTime } from './lag.ts';
import type { Applied } from './partition-apply.ts';
import { PartitionApply } from './partition-apply.ts';
import type { Limits } from './pending.ts';
import { TableCatalog } from './table-catalog.ts';

/** A killed apply is missed after this long; brokers accept nothing below 6 s by default. */
const SESSION_TIMEOUT_MS = 6_000;
const PARTITIONS_MAX = 64;
const BACKOFF_MS = { first: 200, max: 2_000 } as const;
/**
 * As lenient as the source may have been: a zero date or a zero in a key column that stood there must stand here. Foreign
 * keys cannot hold while a transaction's partitions arrive one by one.
 */
const SESSION = {
  '@tandem_apply': 1,
  'sql_mode': 'STRICT_TRANS_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION',
  'foreign_key_checks': 0,
} as const;

export interface ApplyDeps {
  readonly region: string;
  readonly regions: Regions;
  /** Whose changes are applied. */
  readonly peer: string;
  /** tandem_apply's login in this region's database. */
  readonly mysql: MysqlConfig;
  /** The peer's Kafka. */
  readonly kafka: KafkaClient;
  readonly log: LogSink;
  readonly observer?: ApplyObserver;
  readonly limits?: Limits;
  readonly nowMs?: () => number;
}

export interface ApplyStats {
  rowsApplied: number;
  duplicates: number;
  stale: number;
  transactions: number;
  readonly conflictsByKind: Map<string, number>;
}

export interface Apply {
  readonly stats: Readonly<ApplyStats>;
  readonly lag: LagRing;
  readonly changesAhead: number;
  /** Partition by partition, those assigned: next offset, how many messages behind, and why it is stuck if it is. */
  readonly partitions: readonly PartitionStatus[];
  /** Why it does not read at the moment, or which partition is stuck on what; null while all is well. */
  readonly trouble: string | null;
  readonly isPaused: boolean;
  /** Units whose changes wait behind a change that could not be written, as of the last look. */
  readonly parkedUnits: readonly number[];
  readonly deadLetters: DeadLetters;
  /** Ends reading after what is being written now; a restart of the process forgets it. */
  pause(): void;
  resume(): void;
  /** Moves checkpoints, all partitions' by default, and reads on from there. Throws apply-reset-refused, kafka-*, db-*. */
  reset(request: ResetRequest): Promise<readonly ResetPartition[]>;
  stop(): Promise<void>;
}

export interface PartitionStatus {
  readonly partition: number;
  readonly next: bigint;
  /** The offset that the topic's next message will get, as of the last fetch. */
  readonly high: bigint;
  readonly behind: bigint;
  readonly trouble: string | null;
  /** What the target's schema lacks for the next change, where it waits for that. */
  readonly waitsFor: { readonly table: string; readonly column: string | null } | null;
}

export interface ResetRequest {
  readonly partition?: number;
  /** An offset only together with a partition. */
  readonly to: 'start' | 'end' | bigint;
}

export interface ResetPartition { readonly partition: number; readonly from: bigint | null; readonly to: bigint }

/** Starts at once; a Kafka or a database that is away is waited for. */
export function startApply(deps: ApplyDeps): Apply {
  return new RunningApply(deps);
}

class RunningApply implements Apply {
  readonly stats: ApplyStats = { rowsApplied: 0, duplicates: 0, stale: 0, transactions: 0, conflictsByKind: new Map() };
  readonly lag = new LagRing();
  readonly #deps: ApplyDeps;
  readonly #drift: DriftWatch;
  readonly #nowMs: () => number;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #partitions = new Map<number, { readonly apply: PartitionApply; high: bigint }>();
  #trouble: string | null = 'starting';

  constructor(deps: ApplyDeps) {
    this.#deps = deps;
    this.#nowMs = deps.nowMs ?? Date.now;
    this.#drift = new DriftWatch({ nowMs: this.#nowMs, regions: deps.regions, log: deps.log });
    this.#running = this.#run(this.#stopping.signal);
  }

  get changesAhead(): number {
    return this.#drift.changesAhead;
  }

  get partitions(): readonly PartitionStatus[] {
    return [...this.#partitions].map(([partition, { apply, high }]) => ({
      partition, next: apply.next, high, behind: high > apply.next ? high - apply.next : 0n, trouble: apply.trouble, waitsFor: null,
    }));
  }

  get trouble(): string | null {
    return this.#trouble ?? this.partitions.find(({ trouble }) => trouble !== null)?.trouble ?? null;
  }

  get isPaused(): boolean {
    return false;
  }

  get parkedUnits(): readonly number[] {
    return [];
  }

  get deadLetters(): DeadLetters {
    throw new TandemError('internal', 'not there yet');
  }

  pause(): void {
    throw new TandemError('internal', 'not there yet');
  }

  resume(): void {
    throw new TandemError('internal', 'not there yet');
  }

  reset(_request: ResetRequest): Promise<readonly ResetPartition[]> {
    throw new TandemError('internal', 'not there yet');
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('apply stops'));
    await this.#running;
  }

  #run(signal: AbortSignal): Promise<void> {
    return runSessions({
      signal,
      backoffMs: BACKOFF_MS,
      run: (session) => this.#runSession(session),
      onFailure: (error) => {
        this.#trouble = isTandemError(error) ? `${error.code}: ${error.message}` : String(error);
        this.#deps.log.error({ err: error }, 'apply starts over from its checkpoints');
      },
    });
  }

  /** Runs until the consumer fails or the signal aborts; either way it throws. */
  async #runSession(signal: AbortSignal): Promise<never> {
    const failure = Promise.withResolvers<never>();
    failure.promise.catch(() => {});
    signal.addEventListener('abort', () => failure.reject(signal.reason), { once: true });
    const consumer = this.#consumer((error) => failure.reject(error));
    try {
      await Promise.race([consumer.start(), failure.promise]);
      this.#trouble = null;
      return await failure.promise;
    } finally {
      await consumer.stop();
      const partitions = [...this.#partitions.values()];
      this.#partitions = new Map();
      await Promise.all(partitions.map(({ apply }) => apply.close()));
    }
  }

  #consumer(onFatal: (error: unknown) => void): KafkaConsumer {
    const { kafka, region, peer } = this.#deps;
    return kafka.consumer({
      groupId: `tandem-apply-${region}`,
      topic: changeTopic(peer),
      concurrency: PARTITIONS_MAX,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      startAt: (partition, offsets) => this.#startAt(partition, offsets),
      eachBatch: async (batch) => {
        const entry = this.#entry(batch.partition);
        entry.high = batch.highWatermark;
        await entry.apply.handle(batch);
      },
      onFatal,
    });
  }

  async #startAt(partition: number, offsets: PartitionOffsets): Promise<bigint> {
    const { apply } = this.#entry(partition);
    const first = firstOffset(await apply.reload(), offsets);
    logFirstOffset(this.#deps.log, partition, first);
    if (first.kind === 'place') await apply.place(first.offset);
    return first.offset;
  }

  #entry(partition: number): { readonly apply: PartitionApply; high: bigint } {
    const known = this.#partitions.get(partition);
    if (known !== undefined) return known;
    const { mysql, log, peer, limits } = this.#deps;
    const entry = {
      high: 0n,
      apply: new PartitionApply({
        key: { source: peer, partition },
        connect: () => openRawConnection(mysql, { role: 'apply', session: SESSION }),
        catalog: new TableCatalog(mysql.database),
        log,
        signal: this.#stopping.signal,
        limits,
        onApplied: (applied) => this.#note(applied),
      }),
    };
    this.#partitions.set(partition, entry);
    return entry;
  }

  #note(applied: Applied): void {
    const { partition, changes, report } = applied;
    const atMs = this.#nowMs();
    this.#deps.observer?.applied(applied);
    for (const change of changes) {
      this.#drift.observe(change);
      if (change.table !== HEARTBEAT_TABLE) continue;
      const at = change.after?.['at'];
      if (typeof at !== 'string') continue;
      const sample = { atMs, lagMs: atMs - parseServerTime(at), partition };
      this.lag.add(sample);
      this.#deps.observer?.lag(sample);
    }
    this.stats.transactions += 1;
    this.stats.rowsApplied += report.applied;
    this.stats.duplicates += report.duplicates;
    this.stats.stale += report.stale;
    for (const { kind } of report.conflicts) {
      this.stats.conflictsByKind.set(kind, (this.stats.conflictsByKind.get(kind) ?? 0) + 1);
    }
  }
}
