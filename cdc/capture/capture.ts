/**
 * One region's capture: binlog → changes → the region's topic, in sessions that each start from the topic's own tail.
 *
 * Invariants: a session ends at the first error, whatever it is, and the next one finds its place from what the topic
 * holds; so nothing is lost and nothing doubled by anything that dies in between. Memory is bounded by the producer's queue:
 * when it is full the binlog socket is left unread.
 * HAZARD two captures of one region (a lease that ran out unnoticed): both send; apply takes each version once.
 * Deliberately absent: the lease (single-capture.ts), processes and environment (main.ts), a pause that outlives the process
 * (cdc/operate keeps it and pauses what is started anew).
 */
import { assert } from '../../shared/kernel/assert.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { runSessions } from '../../shared/kernel/sessions.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { KafkaClient } from '../../shared/kafka/kafka.ts';
import type { Database, MysqlConfig } from '../../shared/mysql/database.ts';
import { REPLICATED_TABLES } from '../../shared/schema/tables.ts';
import { ensureChangeTopic } from '../transport/topic.ts';
import { beginningOf } from './beginning.ts';
import type { CaptureObserver } from './capture-metrics.ts';
import { CaptureSession, replicaIdOf } from './capture-session.ts';
import { statusOf } from './capture-status.ts';
import type { CaptureStats, CaptureStatus } from './capture-status.ts';
import { runHeartbeat } from './heartbeat.ts';
import type { Pulse } from './heartbeat.ts';
import { writePositionRecord } from './position-record.ts';
import { readServerPosition } from './server-position.ts';
import type { ServerFacts } from './server-settings.ts';
import { SessionGate } from './session-gate.ts';
import type { Snapshot, SnapshotRequest } from './snapshot/snapshot.ts';
import { endSnapshot, insertSnapshot, listSnapshots } from './snapshot/snapshot-store.ts';
import { checkSource, isRefusal } from './source-check.ts';
import type { ResetTarget, StartMode } from './start-mode.ts';

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
  /** Where it begins on an empty topic; resume by default. */
  readonly start?: StartMode;
  /** Tables whose rows travel; those of shared/schema/tables.ts by default. */
  readonly tables?: readonly string[];
  readonly heartbeatEveryMs?: number;
  /** How soon a lost setting, right or trigger is noticed. */
  readonly checkEveryMs?: number;
  /** A stream that is silent for longer is dead. */
  readonly silenceMsMax?: number;
  readonly observer?: CaptureObserver;
}

export interface Capture {
  readonly stats: Readonly<CaptureStats>;
  readonly queuedBytes: number;
  /** Why it does not stream at the moment; null while it does. */
  readonly trouble: string | null;
  readonly status: CaptureStatus;
  readonly isPaused: boolean;
  /** Resolves once nothing is read or sent any more. Heartbeats go on. Not remembered by the next process. */
  pause(): Promise<void>;
  resume(): void;
  /**
   * Goes on from there whatever the topic says; resolves with the GTID position once every partition of the topic says so.
   * Where it throws, some may: repeat it. Throws capture-reset-refused, db-*, kafka-*, and what checkSource() throws.
   */
  reset(target: ResetTarget): Promise<{ readonly position: string }>;
  /** Throws capture-reset-refused. It waits for those that were asked for before. */
  requestSnapshot(request: SnapshotRequest): Promise<Snapshot>;
  /** False where it had ended already, or was never asked for. */
  cancelSnapshot(id: string): Promise<boolean>;
  /** Newest first. */
  snapshots(): Promise<Snapshot[]>;
  stop(): Promise<void>;
}

/** Throws capture-unsafe-settings, capture-privilege-missing, capture-schema-missing; a database or Kafka that is away is waited for. */
export async function startCapture(deps: CaptureDeps): Promise<Capture> {
  try {
    await checkSource(deps.database, deps.tables ?? REPLICATED_TABLES, deps.log);
  } catch (error) {
    if (isRefusal(error)) throw error;
    deps.log.warn({ err: error }, 'the database cannot be asked for its settings yet');
  }
  return new RunningCapture(deps);
}

class RunningCapture implements Capture {
  readonly stats: CaptureStats = { changesSent: 0, bytesSent: 0, sessions: 0, changesSkipped: 0, snapshotRows: 0, oddities: new Map() };
  readonly #deps: CaptureDeps;
  readonly #gate = new SessionGate();
  readonly #stopping = new AbortController();
  readonly #running: Promise<unknown>;
  #session: CaptureSession | undefined;
  #facts: ServerFacts | null = null;
  #trouble: string | null = 'starting';
  #refusal: unknown = null;
  #position: string | null = null;

  constructor(deps: CaptureDeps) {
    assert(deps.partitions >= 1, `a topic cannot have ${deps.partitions} partitions`);
    this.#deps = deps;
    const { database, log } = deps;
    const { signal } = this.#stopping;
    const everyMs = deps.heartbeatEveryMs ?? HEARTBEAT_EVERY_MS;
    this.#running = Promise.all([this.#run(signal), runHeartbeat({ database, pulse: this.#pulse, everyMs, log, signal })]);
  }

  get queuedBytes(): number {
    return this.#session?.queuedBytes ?? 0;
  }

  get trouble(): string | null {
    return this.isPaused ? 'paused' : this.#trouble;
  }

  get isPaused(): boolean {
    return this.#gate.isHeld('pause');
  }

  get status(): CaptureStatus {
    const position = this.#session?.position ?? this.#position;
    return statusOf({ isPaused: this.isPaused, trouble: this.trouble, refusal: this.#refusal, position, queuedBytes: this.queuedBytes, facts: this.#facts, stats: this.stats });
  }

  async pause(): Promise<void> {
    await this.#gate.hold('pause');
  }

  resume(): void {
    this.#gate.release('pause');
  }

  async reset(target: ResetTarget): Promise<{ readonly position: string }> {
    const { kafka, region, partitions, mysql, database, log, tables = REPLICATED_TABLES } = this.#deps;
    await this.#gate.hold('reset');
    try {
      const facts = await checkSource(database, tables, null);
      const server = await readServerPosition(database, facts.engine);
      const position = await beginningOf(target, { region, mysql, database, server, tables, replicaId: replicaIdOf(facts) });
      await ensureChangeTopic(kafka, { region, partitions });
      await writePositionRecord({ kafka, pulse: this.#pulse, mysql, database, facts, position });
      log.warn({ target: target.kind, position }, 'capture was reset');
      return { position };
    } finally {
      this.#gate.release('reset');
    }
  }

  async requestSnapshot(request: SnapshotRequest): Promise<Snapshot> {
    const { database, tables = REPLICATED_TABLES } = this.#deps;
    const snapshot = await insertSnapshot(database, request, tables);
    this.#session?.wakeSnapshots();
    return snapshot;
  }

  cancelSnapshot(id: string): Promise<boolean> {
    return endSnapshot(this.#deps.database, id, 'cancelled');
  }

  snapshots(): Promise<Snapshot[]> {
    return listSnapshots(this.#deps.database);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('capture stops'));
    await this.#running;
  }

  get #pulse(): Pulse {
    const { region, origin, partitions } = this.#deps;
    return { region, origin, partitions };
  }

  #run(signal: AbortSignal): Promise<void> {
    return runSessions({
      signal,
      backoffMs: BACKOFF_MS,
      run: (session) => this.#gate.run(session, (open) => this.#runSession(open)),
      onFailure: (error) => {
        this.#trouble = isTandemError(error) ? `${error.code}: ${error.message}` : String(error);
        this.#refusal = error;
        this.#deps.log.error({ err: error }, 'capture starts over from the tail of its topic');
      },
    });
  }

  async #runSession(signal: AbortSignal): Promise<void> {
    const { kafka, region, partitions, database, log, tables = REPLICATED_TABLES } = this.#deps;
    const facts = await checkSource(database, tables, log);
    this.#facts = facts;
    await ensureChangeTopic(kafka, { region, partitions });
    const session = new CaptureSession(this.#deps, facts, this.stats);
    this.#session = session;
    this.stats.sessions += 1;
    this.#deps.observer?.sessionStarted();
    try {
      await session.run(signal, () => {
        this.#trouble = null;
        this.#refusal = null;
      });
    } finally {
      this.#position = session.position;
      await session.close();
      this.#session = undefined;
    }
  }
}
