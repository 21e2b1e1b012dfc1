/**
 * One region's apply: the peer's topic → this region's database, each partition on its own, in sessions.
 *
 * Invariants: it can be killed at any instruction and started again, any number of times, even twice at once; the outcome
 * is the same. A session ends when its consumer does (Kafka is away, a gap), or when it is paused; the next begins at the
 * checkpoints. While there is none, it says why in `trouble`, and the last ten minutes of lag can still be asked for.
 * Deliberately absent: HTTP, environment (main.ts), and how a change is written (partition-apply.ts).
 */
import type { ConflictRules } from '../../shared/schema/conflict-rules.ts';
import { NO_RULES } from '../../shared/schema/conflict-rules.ts';
import { loadConflictRules } from '../../shared/schema/conflict-rules-file.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { Regions } from '../../shared/kernel/region.ts';
import { runSessions } from '../../shared/kernel/sessions.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { KafkaConsumer } from '../../shared/kafka/consumer.ts';
import type { KafkaClient } from '../../shared/kafka/kafka.ts';
import type { PartitionOffsets } from '../../shared/kafka/message.ts';
import type { MysqlConfig } from '../../shared/mysql/database.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { changeTopic } from '../change/envelope.ts';
import { firstOffset, logFirstOffset } from '../transport/change-consumer.ts';
import { Announcer } from './announcer.ts';
import type { ApplyObserver } from './apply-metrics.ts';
import { ApplyTally } from './apply-tally.ts';
import type { ApplyStats } from './apply-tally.ts';
import type { DeadLetters } from './dead-letters.ts';
import { LetterDesk } from './letter-desk.ts';
import { announcementsOf, waitingAnnouncements } from './letter-news.ts';
import type { LagRing } from './lag.ts';
import { PartitionApply } from './partition-apply.ts';
import type { Applied } from './partition-apply.ts';
import type { Poison } from './partition-writer.ts';
import type { Decode, Limits } from './pending.ts';
import { messageReader, readParked } from './read-message.ts';
import type { MessageSource } from './read-message.ts';
import { moveCheckpoints } from './reset.ts';
import type { ResetPartition, ResetRequest } from './reset.ts';

export type { ApplyStats } from './apply-tally.ts';
export type { ResetPartition, ResetRequest } from './reset.ts';

/** A killed apply is missed after this long; brokers accept nothing below 6 s by default. */
const SESSION_TIMEOUT_MS = 6_000;
const PARTITIONS_MAX = 64;
const BACKOFF_MS = { first: 200, max: 2_000 } as const;
/** A batch is whole transactions up to either of these; a larger transaction is written in steps of this size. */
const BATCH_LIMITS: Limits = { rows: 500, bytes: 512 * 1024 };
const POISON: Poison = { tries: 5, policy: 'pause-unit' };
/** What waits undecoded, over all partitions: with their batches and what kafkajs holds it stays far below 256 MiB. */
const INBOX_BYTES_TOTAL = 8 * 1024 * 1024;
const FETCH_BYTES = { partition: 256 * 1024, total: 2 * 1024 * 1024 } as const;
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
  /** This region's: dead letters are announced there. Without it they are not announced. */
  readonly ownKafka?: KafkaClient | undefined;
  readonly log: LogSink;
  readonly observer?: ApplyObserver;
  readonly limits?: Limits | undefined;
  readonly poison?: Poison | undefined;
  /** Path of the conflict rules; the shipped ones by default. */
  readonly rulesFile?: string | undefined;
  /** The replicated tables, which rules are checked against; those of the schema by default. */
  readonly tables?: readonly string[] | undefined;
  /** One for each start of a partition from its checkpoint; Tandem's own envelope by default. */
  readonly decoder?: (() => Decode) | undefined;
  readonly nowMs?: () => number;
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

/** Starts at once; a Kafka or a database that is away is waited for. */
export function startApply(deps: ApplyDeps): Apply {
  return new RunningApply(deps);
}

interface Entry { readonly apply: PartitionApply; high: bigint }

class RunningApply implements Apply {
  readonly #deps: ApplyDeps;
  readonly #tally: ApplyTally;
  readonly #desk: LetterDesk;
  readonly #source: MessageSource;
  readonly #announcer: Announcer | undefined;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #rules: ConflictRules = NO_RULES;
  #partitions = new Map<number, Entry>();
  #trouble: string | null = 'starting';
  /** Ends the session that is running, for a pause or a reset. */
  #session = new AbortController();
  #sessionOver: Promise<void> = Promise.resolve();
  #resumed: PromiseWithResolvers<void> | undefined;

  constructor(deps: ApplyDeps) {
    this.#deps = deps;
    const { region, peer, mysql, ownKafka, log } = deps;
    this.#source = { region: peer, origin: deps.regions.originOf(peer), own: deps.decoder };
    this.#tally = new ApplyTally({ nowMs: deps.nowMs ?? Date.now, regions: deps.regions, log, observer: deps.observer });
    this.#announcer = ownKafka === undefined ? undefined : new Announcer({ kafka: ownKafka, region, log });
    this.#desk = new LetterDesk({
      source: peer, database: mysql.database, connect: () => this.#connect(), rules: () => this.#rules,
      decode: (message, catalog) => readParked(this.#source, message, catalog),
    });
    this.#running = this.#run(this.#stopping.signal);
  }

  get stats(): ApplyStats {
    return this.#tally.stats;
  }

  get lag(): LagRing {
    return this.#tally.lag;
  }

  get changesAhead(): number {
    return this.#tally.changesAhead;
  }

  get partitions(): readonly PartitionStatus[] {
    return [...this.#partitions].toSorted(([a], [b]) => a - b).map(([partition, { apply, high }]) => ({
      partition, next: apply.next, high, behind: high > apply.next ? high - apply.next : 0n, trouble: apply.trouble, waitsFor: apply.waitsFor,
    }));
  }

  get trouble(): string | null {
    return this.#trouble ?? this.partitions.find(({ trouble }) => trouble !== null)?.trouble ?? null;
  }

  get isPaused(): boolean {
    return this.#resumed !== undefined;
  }

  get parkedUnits(): readonly number[] {
    return [...new Set([...this.#partitions.values()].flatMap(({ apply }) => [...apply.parkedUnits]))].toSorted((a, b) => a - b);
  }

  get deadLetters(): DeadLetters {
    return this.#desk;
  }

  pause(): void {
    this.#resumed ??= Promise.withResolvers();
    this.#session.abort(new Error('apply pauses'));
  }

  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = undefined;
  }

  async reset(request: ResetRequest): Promise<readonly ResetPartition[]> {
    const wasPaused = this.isPaused;
    this.pause();
    try {
      await this.#sessionOver;
      const { kafka, peer, log } = this.#deps;
      const connection = await this.#connect();
      try {
        const moved = await moveCheckpoints(connection, { source: peer, offsets: await kafka.topicOffsets(changeTopic(peer)), request });
        log.warn({ partitions: moved.map(({ partition, from, to }) => `${partition}: ${from} -> ${to}`) }, 'checkpoints were reset');
        return moved;
      } finally {
        await connection.close();
      }
    } finally {
      if (!wasPaused) this.resume();
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('apply stops'));
    this.resume();
    await this.#running;
    await Promise.all([this.#desk.close(), this.#announcer?.close()]);
  }

  #run(signal: AbortSignal): Promise<void> {
    return runSessions({
      signal,
      backoffMs: BACKOFF_MS,
      run: async () => {
        const over = Promise.withResolvers<void>();
        this.#session = new AbortController();
        this.#sessionOver = over.promise;
        // Asked for between two sessions, it must not wait for the next one to end.
        if (this.isPaused) this.#session.abort(new Error('apply pauses'));
        try {
          await this.#runSession(AbortSignal.any([signal, this.#session.signal]));
        } finally {
          over.resolve();
          await this.#whilePaused(signal);
        }
      },
      onFailure: (error) => {
        if (this.#session.signal.aborted) return;
        this.#trouble = isTandemError(error) ? `${error.code}: ${error.message}` : String(error);
        this.#deps.log.error({ err: error }, 'apply starts over from its checkpoints');
      },
    });
  }

  async #whilePaused(signal: AbortSignal): Promise<void> {
    if (this.#resumed === undefined || signal.aborted) return;
    this.#trouble = null;
    this.#deps.log.info({}, 'apply pauses');
    await this.#resumed.promise;
    this.#deps.log.info({}, 'apply goes on');
  }

  /** Runs until the consumer fails or the signal aborts; either way it throws. */
  async #runSession(signal: AbortSignal): Promise<never> {
    signal.throwIfAborted();
    await this.#prepare();
    const failure = Promise.withResolvers<never>();
    failure.promise.catch(() => {});
    signal.addEventListener('abort', () => failure.reject(signal.reason), { once: true });
    const consumer = this.#consumer((error) => failure.reject(error));
    try {
      signal.throwIfAborted();
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

  /** Rules are read for each session: a migration may have added what they need. */
  async #prepare(): Promise<void> {
    const { rulesFile, tables, peer } = this.#deps;
    const connection = await this.#connect();
    try {
      this.#rules = await loadConflictRules(connection, { file: rulesFile, tables });
      if (this.#announcer !== undefined) this.#announcer.announce(await waitingAnnouncements(connection, peer));
    } finally {
      await connection.close();
    }
  }

  #consumer(onFatal: (error: unknown) => void): KafkaConsumer {
    const { kafka, region, peer } = this.#deps;
    return kafka.consumer({
      groupId: `tandem-apply-${region}`,
      topic: changeTopic(peer),
      concurrency: PARTITIONS_MAX,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      fetchBytes: FETCH_BYTES,
      startAt: (partition, offsets) => this.#startAt(partition, offsets),
      onAssigned: (assigned) => void this.#release(assigned),
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

  /** Ends what belongs to somebody else now. */
  async #release(assigned: readonly number[]): Promise<void> {
    const gone = [...this.#partitions].filter(([partition]) => !assigned.includes(partition));
    for (const [partition] of gone) this.#partitions.delete(partition);
    await Promise.all(gone.map(([, { apply }]) => apply.close()));
  }

  #entry(partition: number): Entry {
    const known = this.#partitions.get(partition);
    if (known !== undefined) return known;
    const { mysql, log, peer, limits = BATCH_LIMITS, poison = POISON } = this.#deps;
    const entry: Entry = {
      high: 0n,
      apply: new PartitionApply({
        key: { source: peer, partition },
        database: mysql.database,
        connect: () => this.#connect(),
        rules: this.#rules,
        log, limits, poison,
        inboxBytes: Math.max(FETCH_BYTES.partition, INBOX_BYTES_TOTAL / PARTITIONS_MAX),
        decoder: (catalog) => messageReader(this.#source, catalog),
        onApplied: (applied) => this.#note(applied),
      }),
    };
    this.#partitions.set(partition, entry);
    return entry;
  }

  #note(applied: Applied): void {
    this.#tally.note(applied);
    const { letters } = applied.report;
    if (letters.length > 0) this.#announcer?.announce(announcementsOf({ source: this.#deps.peer, partition: applied.partition }, letters));
  }

  #connect(): Promise<RawConnection> {
    return openRawConnection(this.#deps.mysql, { role: 'apply', session: SESSION, scripts: true });
  }
}
