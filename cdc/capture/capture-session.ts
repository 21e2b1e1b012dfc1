/**
 * One stretch of capture: from the topic's tail to the first error.
 *
 * Invariant: everything it opened is closed by close(), before another session reads the tail.
 */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { REPLICATED_TABLES } from '../../shared/schema/tables.ts';
import { formatPosition } from '../change/position.ts';
import type { Position } from '../change/position.ts';
import { ChangeProducer, QUEUE_BYTES_MAX } from '../transport/change-producer.ts';
import { readTails } from '../transport/topic.ts';
import { beginningOf } from './beginning.ts';
import { openBinlogSource } from './binlog-source.ts';
import type { BinlogSource } from './binlog-source.ts';
import type { BinlogEvent } from './binlog-event.ts';
import type { CaptureDeps } from './capture.ts';
import type { CaptureStats } from './capture-status.ts';
import { writePositionRecord } from './position-record.ts';
import { AlreadySent, resumptionOf } from './resume.ts';
import type { Resumption, Tails } from './resume.ts';
import { readServerPosition } from './server-position.ts';
import type { ServerPosition } from './server-position.ts';
import type { ServerFacts } from './server-settings.ts';
import { SnapshotRunner } from './snapshot/snapshot-runner.ts';
import { checkSource, isRefusal } from './source-check.ts';
import { checkStart } from './start-check.ts';
import { TransactionAssembler } from './transaction-assembler.ts';
import type { Oddity } from './transaction-assembler.ts';

/** A stream that says nothing for this long is dead: an idle server sends a sign each second (binlog-source.ts). */
export const SILENCE_MS_MAX = 5_000;
const WATCH_EVERY_MS = 1_000;
/** How soon a setting, a right or a trigger that was taken away is noticed. */
export const CHECK_EVERY_MS = 3_000;
/** Above any server id the stack gives out, so that a reader never looks like a replica that exists. */
const REPLICA_ID_BASE = 0x7a_00_00_00;

export const replicaIdOf = ({ serverId }: ServerFacts): number => REPLICA_ID_BASE + serverId;

export class CaptureSession {
  readonly #deps: CaptureDeps;
  readonly #facts: ServerFacts;
  readonly #stats: CaptureStats;
  readonly #failure = Promise.withResolvers<never>();
  readonly #closing = new AbortController();
  #producer: ChangeProducer | undefined;
  #source: BinlogSource | undefined;
  #snapshots: SnapshotRunner | undefined;
  #runningSnapshots: Promise<void> = Promise.resolve();
  #timers: NodeJS.Timeout[] = [];
  #isPaused = false;
  #lastSignMs = 0;
  #position: string | null = null;
  /** Known once Kafka has as many changes as were handed in by then. */
  #nextPosition: { readonly position: string; readonly handed: number } | null = null;

  constructor(deps: CaptureDeps, facts: ServerFacts, stats: CaptureStats) {
    this.#deps = deps;
    this.#facts = facts;
    this.#stats = stats;
    // It may fail before anybody waits for it.
    this.#failure.promise.catch(() => {});
  }

  get queuedBytes(): number {
    return this.#producer?.queuedBytes ?? 0;
  }

  /** A GTID position up to which the topic holds everything; null before the stream opened. */
  get position(): string | null {
    this.#settlePosition();
    return this.#position;
  }

  wakeSnapshots(): void {
    this.#snapshots?.wake();
  }

  /** Runs until it fails or the signal aborts; either way it throws. */
  async run(signal: AbortSignal, onStreaming: () => void): Promise<never> {
    signal.addEventListener('abort', () => this.#failure.reject(signal.reason), { once: true });
    signal.throwIfAborted();
    const { kafka, region, log, database } = this.#deps;
    const server = await readServerPosition(database, this.#facts.engine);
    const { resumption, tails } = await this.#resumption(server);
    checkStart({ ...resumption, server, region });
    this.#producer = new ChangeProducer({
      producer: await kafka.producer(),
      region,
      onFull: () => this.#pause(),
      onRoom: () => this.#resume(),
      onSent: ({ messages, bytes }) => {
        this.#stats.changesSent += messages;
        this.#stats.bytesSent += bytes;
        this.#deps.observer?.sent({ messages, bytes });
      },
      onError: (error) => this.#failure.reject(error),
    });
    log.info({ from: formatPosition(resumption.from), engine: this.#facts.engine, version: this.#facts.version }, 'capture streams the binlog');
    const isStrict = server.flavour === 'mariadb' && server.isStrict;
    await this.#stream(resumption.from, server, new AlreadySent(tails, { isStrict }));
    this.#watch();
    onStreaming();
    return await this.#failure.promise;
  }

  async close(): Promise<void> {
    this.#failure.reject(new Error('the session is over'));
    this.#closing.abort(new Error('the session is over'));
    for (const timer of this.#timers) clearInterval(timer);
    await this.#source?.stop();
    await this.#runningSnapshots;
    // Last, so that no send of this session can arrive after the next one has read the tail.
    await this.#producer?.close().catch((error: unknown) => this.#deps.log.debug({ err: error }, 'the producer closed badly'));
  }

  /** What the topic says; where it says nothing yet, it is made to say it first. */
  async #resumption(server: ServerPosition): Promise<{ resumption: Resumption; tails: Tails }> {
    const { kafka, region, origin, partitions, mysql, database, log, tables = REPLICATED_TABLES, start = { kind: 'resume' } } = this.#deps;
    const tails = await readTails(kafka, { region, partitions });
    const known = resumptionOf(tails);
    if (known !== null) return { resumption: known, tails };
    const position = await beginningOf(start, { region, mysql, database, server, tables, replicaId: replicaIdOf(this.#facts) });
    log.warn({ start: start.kind, position, server: this.#facts.version }, 'the topic is empty: capture begins');
    await writePositionRecord({ kafka, pulse: { region, origin, partitions }, mysql, database, facts: this.#facts, position });
    const begun = await readTails(kafka, { region, partitions });
    const resumption = resumptionOf(begun);
    if (resumption === null) throw new TandemError('kafka-failed', `the topic of ${region} does not show the record that was just written to it`);
    return { resumption, tails: begun };
  }

  async #stream(from: Position, server: ServerPosition, alreadySent: AlreadySent): Promise<void> {
    const { region, origin, partitions, mysql, tables = REPLICATED_TABLES } = this.#deps;
    const assembler = new TransactionAssembler({
      region, origin, partitions, database: mysql.database,
      tables: new Set<string>(tables),
      onOddity: (oddity) => this.#noteOddity(oddity),
    });
    this.#lastSignMs = performance.now();
    this.#position = formatPosition(from);
    const snapshots = this.#startSnapshots();
    this.#source = await openBinlogSource({
      mysql,
      replicaId: replicaIdOf(this.#facts),
      start: from.flavour === 'empty' ? { kind: 'file', file: server.oldestFile } : { kind: 'gtid', position: formatPosition(from) },
      tables: this.#deps.tables ?? REPLICATED_TABLES,
      onSign: () => (this.#lastSignMs = performance.now()),
      onEvent: (event) => {
        this.#send(event, assembler, alreadySent);
        snapshots.accept(event);
        if (event.kind === 'commit') this.#notePosition(event.position);
      },
      onError: (error) => this.#failure.reject(error),
    });
    // The queue may have filled up while the stream was opening, when there was no source to pause yet.
    if (this.#isPaused) this.#source.pause();
    this.#runningSnapshots = snapshots.run(this.#closing.signal);
  }

  #send(event: BinlogEvent, assembler: TransactionAssembler, alreadySent: AlreadySent): void {
    for (const routed of assembler.accept(event)) {
      if (alreadySent.has(routed)) {
        this.#stats.changesSkipped += 1;
        this.#deps.observer?.skipped();
      } else this.#producer?.enqueue(routed.partition, routed.change);
    }
  }

  #notePosition(position: string): void {
    this.#settlePosition();
    this.#nextPosition ??= { position, handed: this.#producer?.enqueued ?? 0 };
  }

  #settlePosition(): void {
    if (this.#nextPosition === null || (this.#producer?.acknowledged ?? 0) < this.#nextPosition.handed) return;
    this.#position = this.#nextPosition.position;
    this.#nextPosition = null;
  }

  #startSnapshots(): SnapshotRunner {
    const { region, partitions, mysql, database, log } = this.#deps;
    this.#snapshots = new SnapshotRunner({
      region, partitions, mysql, database, log,
      enqueue: ({ partition, change }) => this.#producer?.enqueue(partition, change),
      handed: () => this.#producer?.enqueued ?? 0,
      acknowledged: () => this.#producer?.acknowledged ?? 0,
      isBusy: () => this.queuedBytes > QUEUE_BYTES_MAX / 2,
      onRows: (rows) => {
        this.#stats.snapshotRows += rows;
        this.#deps.observer?.snapshotRows(rows);
      },
    });
    return this.#snapshots;
  }

  #watch(): void {
    const { database, tables = REPLICATED_TABLES, checkEveryMs = CHECK_EVERY_MS, silenceMsMax = SILENCE_MS_MAX } = this.#deps;
    const listen = (): void => {
      const silentMs = performance.now() - this.#lastSignMs;
      // While the queue is full it is we who do not listen.
      if (this.#isPaused || silentMs < silenceMsMax) return;
      this.#failure.reject(new TandemError('db-unavailable', `the binlog stream has been silent for ${Math.round(silentMs)} ms`));
    };
    let isChecking = false;
    const check = async (): Promise<void> => {
      if (isChecking) return;
      isChecking = true;
      try {
        await checkSource(database, tables, null);
      } catch (error) {
        // A database that does not answer is the stream's to notice.
        if (isRefusal(error)) this.#failure.reject(error);
      } finally {
        isChecking = false;
      }
    };
    this.#timers = [setInterval(listen, Math.min(WATCH_EVERY_MS, silenceMsMax)), setInterval(() => void check(), checkEveryMs)];
  }

  #pause(): void {
    this.#isPaused = true;
    this.#source?.pause();
  }

  #resume(): void {
    this.#isPaused = false;
    this.#lastSignMs = performance.now();
    this.#source?.resume();
  }

  #noteOddity(oddity: Oddity): void {
    const { oddities } = this.#stats;
    const count = (oddities.get(oddity.kind) ?? 0) + 1;
    oddities.set(oddity.kind, count);
    this.#deps.observer?.oddity(oddity.kind);
    const log: LogSink = this.#deps.log;
    if (count <= 10 || count % 1000 === 0) log.error({ ...oddity, count }, ODDITY_TEXT[oddity.kind]);
  }
}

const ODDITY_TEXT: Record<Oddity['kind'], string> = {
  unstamped: 'a row was written without a version: its trigger is missing or was bypassed',
  'no-tombstone': 'a row was deleted without a tombstone: its trigger is missing or was bypassed',
  truncated: 'a replicated table was truncated: the peer keeps its rows',
};
