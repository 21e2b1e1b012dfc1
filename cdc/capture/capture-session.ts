/**
 * One stretch of capture: from the topic's tail to the first error.
 *
 * Invariant: everything it opened is closed by close(), before another session reads the tail.
 */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { REPLICATED_TABLES } from '../../shared/schema/tables.ts';
import { ChangeProducer } from '../transport/change-producer.ts';
import { readTails } from '../transport/topic.ts';
import { openBinlogSource } from './binlog-source.ts';
import type { BinlogSource, BinlogStart } from './binlog-source.ts';
import type { CaptureDeps, CaptureStats } from './capture.ts';
import { AlreadySent, startPoint } from './resume.ts';
import type { StartPoint } from './resume.ts';
import type { ServerFacts } from './server-settings.ts';
import { TransactionAssembler } from './transaction-assembler.ts';
import type { Oddity } from './transaction-assembler.ts';

/** A stream that says nothing for this long although heartbeats are being written is dead. */
export const SILENCE_MS_MAX = 5_000;
const WATCH_EVERY_MS = 1_000;
/** Above any server id the stack gives out, so that a reader never looks like a replica that exists. */
const REPLICA_ID_BASE = 0x7a_00_00_00;

export class CaptureSession {
  readonly #deps: CaptureDeps;
  readonly #facts: ServerFacts;
  readonly #stats: CaptureStats;
  readonly #lastBeatMs: () => number;
  readonly #failure = Promise.withResolvers<never>();
  #producer: ChangeProducer | undefined;
  #source: BinlogSource | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #isPaused = false;
  #lastSignMs = 0;

  constructor(deps: CaptureDeps, facts: ServerFacts, stats: CaptureStats, lastBeatMs: () => number) {
    this.#deps = deps;
    this.#facts = facts;
    this.#stats = stats;
    this.#lastBeatMs = lastBeatMs;
    // It may fail before anybody waits for it.
    this.#failure.promise.catch(() => {});
  }

  get queuedBytes(): number {
    return this.#producer?.queuedBytes ?? 0;
  }

  /** Runs until it fails or the signal aborts; either way it throws. */
  async run(signal: AbortSignal, onStreaming: () => void): Promise<never> {
    signal.addEventListener('abort', () => this.#failure.reject(signal.reason), { once: true });
    signal.throwIfAborted();
    const { kafka, region, partitions, log } = this.#deps;
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
    const tails = await readTails(kafka, { region, partitions });
    const from = startPoint(tails);
    log.info({ from, engine: this.#facts.engine, version: this.#facts.version }, 'capture streams the binlog');
    await this.#stream(await this.#binlogStart(from), new AlreadySent(tails));
    this.#watch();
    onStreaming();
    return await this.#failure.promise;
  }

  async close(): Promise<void> {
    this.#failure.reject(new Error('the session is over'));
    clearInterval(this.#watchdog);
    await this.#source?.stop();
    // Last, so that no send of this session can arrive after the next one has read the tail.
    await this.#producer?.close().catch((error: unknown) => this.#deps.log.debug({ err: error }, 'the producer closed badly'));
  }

  async #stream(start: BinlogStart, alreadySent: AlreadySent): Promise<void> {
    const { region, origin, partitions, mysql, tables = REPLICATED_TABLES } = this.#deps;
    const assembler = new TransactionAssembler({
      region, origin, partitions, database: mysql.database,
      tables: new Set<string>(tables),
      onOddity: (oddity) => this.#noteOddity(oddity),
    });
    this.#lastSignMs = performance.now();
    this.#source = await openBinlogSource({
      mysql,
      replicaId: REPLICA_ID_BASE + this.#facts.serverId,
      start,
      onSign: () => (this.#lastSignMs = performance.now()),
      onEvent: (event) => {
        for (const routed of assembler.accept(event)) {
          if (alreadySent.has(routed)) {
            this.#stats.changesSkipped += 1;
            this.#deps.observer?.skipped();
          } else this.#producer?.enqueue(routed.partition, routed.change);
        }
      },
      onError: (error) => this.#failure.reject(error),
    });
    // The queue may have filled up while the stream was opening, when there was no source to pause yet.
    if (this.#isPaused) this.#source.pause();
  }

  async #binlogStart(from: StartPoint): Promise<BinlogStart> {
    if (from.kind === 'gtid') return from;
    const [first] = await this.#deps.database.query<{ Log_name: string }>('SHOW BINARY LOGS');
    if (first === undefined) throw new TandemError('capture-unsafe-settings', 'the server has no binary logs');
    return { kind: 'file', file: first.Log_name };
  }

  #watch(): void {
    this.#watchdog = setInterval(() => {
      const silentMs = performance.now() - this.#lastSignMs;
      // Beats written after the last sign should have come by; without them, or paused, silence means nothing.
      const isExpected = !this.#isPaused && this.#lastBeatMs() > this.#lastSignMs;
      if (!isExpected || silentMs < SILENCE_MS_MAX) return;
      this.#failure.reject(new TandemError('db-unavailable', `the binlog stream has been silent for ${Math.round(silentMs)} ms`));
    }, WATCH_EVERY_MS);
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
