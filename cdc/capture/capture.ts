/**
 * One region's capture: binlog → changes → the region's topic, in sessions that each start from the topic's own tail.
 *
 * Invariants: a session ends at the first error, whatever it is, and the next one finds its place from what the topic
 * holds; so nothing is lost and nothing doubled by anything that dies in between. Memory is bounded by the producer's queue:
 * when it is full the binlog socket is left unread.
 * HAZARD two captures of one region (a lease that ran out unnoticed): both send; apply takes each version once.
 * Deliberately absent: the lease (single-capture.ts), processes and environment (main.ts).
 */
import { assert } from '../../shared/kernel/assert.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { runSessions } from '../../shared/kernel/sessions.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { KafkaClient } from '../../shared/kafka/kafka.ts';
import type { Database, MysqlConfig } from '../../shared/mysql/database.ts';
import { ensureChangeTopic } from '../transport/topic.ts';
import type { CaptureObserver } from './capture-metrics.ts';
import { CaptureSession } from './capture-session.ts';
import { runHeartbeat } from './heartbeat.ts';
import { checkServerSettings } from './server-settings.ts';

export const HEARTBEAT_EVERY_MS = 200;
const BACKOFF_MS = { first: 100, max: 2_000 } as const;

export interface CaptureDeps {
  readonly region: string;
  readonly origin: number;
  readonly partitions: number;
  /** tandem_capture's login: the binlog is read with it. */
  readonly mysql: MysqlConfig;
  /** The same login as a pool, for heartbeats and settings. */
  readonly database: Database;
  readonly kafka: KafkaClient;
  readonly log: LogSink;
  /** Tables whose rows travel; those of shared/schema/tables.ts by default. */
  readonly tables?: readonly string[];
  readonly heartbeatEveryMs?: number;
  readonly observer?: CaptureObserver;
}

export interface CaptureStats {
  changesSent: number;
  bytesSent: number;
  sessions: number;
  /** Rows whose change another session had sent. */
  changesSkipped: number;
  /** By kind: unstamped, no-tombstone, truncated. */
  readonly oddities: Map<string, number>;
}

export interface Capture {
  readonly stats: Readonly<CaptureStats>;
  readonly queuedBytes: number;
  /** Why it does not stream at the moment; null while it does. */
  readonly trouble: string | null;
  stop(): Promise<void>;
}

/** Throws capture-unsafe-settings; a database or Kafka that is away is waited for. */
export async function startCapture(deps: CaptureDeps): Promise<Capture> {
  try {
    await checkServerSettings(deps.database, deps.log);
  } catch (error) {
    if (isTandemError(error, 'capture-unsafe-settings')) throw error;
    deps.log.warn({ err: error }, 'the database cannot be asked for its settings yet');
  }
  return new RunningCapture(deps);
}

class RunningCapture implements Capture {
  readonly stats: CaptureStats = { changesSent: 0, bytesSent: 0, sessions: 0, changesSkipped: 0, oddities: new Map() };
  readonly #deps: CaptureDeps;
  readonly #stopping = new AbortController();
  readonly #running: Promise<unknown>;
  #session: CaptureSession | undefined;
  #trouble: string | null = 'starting';
  #lastBeatMs = 0;

  constructor(deps: CaptureDeps) {
    assert(deps.partitions >= 1, `a topic cannot have ${deps.partitions} partitions`);
    this.#deps = deps;
    const { database, origin, log } = deps;
    const { signal } = this.#stopping;
    const everyMs = deps.heartbeatEveryMs ?? HEARTBEAT_EVERY_MS;
    const onBeat = (): void => void (this.#lastBeatMs = performance.now());
    this.#running = Promise.all([this.#run(signal), runHeartbeat({ database, origin, everyMs, log, signal, onBeat })]);
  }

  get queuedBytes(): number {
    return this.#session?.queuedBytes ?? 0;
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('capture stops'));
    await this.#running;
  }

  #run(signal: AbortSignal): Promise<void> {
    return runSessions({
      signal,
      backoffMs: BACKOFF_MS,
      run: (session) => this.#runSession(session),
      onFailure: (error) => {
        this.#trouble = isTandemError(error) ? `${error.code}: ${error.message}` : String(error);
        this.#deps.log.error({ err: error }, 'capture starts over from the tail of its topic');
      },
    });
  }

  async #runSession(signal: AbortSignal): Promise<void> {
    const { kafka, region, partitions, database, log } = this.#deps;
    const facts = await checkServerSettings(database, log);
    await ensureChangeTopic(kafka, { region, partitions });
    const session = new CaptureSession(this.#deps, facts, this.stats, () => this.#lastBeatMs);
    this.#session = session;
    this.stats.sessions += 1;
    this.#deps.observer?.sessionStarted();
    try {
      await session.run(signal, () => (this.#trouble = null));
    } finally {
      await session.close();
      this.#session = undefined;
    }
  }
}
