/**
 * Works off snapshots while the binlog streams: chunk by chunk between marks, into the same queue as the log's own changes.
 *
 * Invariant: (table, after_id) is written only once Kafka has the chunk; so whatever dies, the next runner goes on after the last
 * chunk that is noted, and the one that was cut off is read again. At most one chunk is in memory. It lives and ends with
 * one capture session: marks of an earlier one mean nothing to it.
 */
import { randomBytes } from 'node:crypto';
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Database, MysqlConfig } from '../../../shared/mysql/database.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { BinlogEvent } from '../binlog-event.ts';
import { ChunkWindow } from './chunk-window.ts';
import type { IdRange, RoutedRow } from './chunk-window.ts';
import { nextIds, readRows } from './row-reader.ts';
import type { Snapshot } from './snapshot.ts';
import { endSnapshot, nextSnapshot, writeMark, writeProgress } from './snapshot-store.ts';
import { Throttle } from './throttle.ts';

/** Of a chunk: as many rows as this, or as fill these bytes with long values. */
export const CHUNK_ROWS_MAX = 1_000;
export const CHUNK_BYTES_MAX = 4 * 1024 * 1024;
/** A slow snapshot has small chunks, so that its rows leave evenly. */
const CHUNKS_PER_SECOND_MIN = 4;
const LOOK_EVERY_MS = 500;
const WAIT_STEP_MS = 20;
const RETRY_PAUSE_MS = 1_000;
const READ_DEADLINE_MS = 60_000;

export interface SnapshotRunnerOptions {
  readonly region: string;
  readonly partitions: number;
  readonly mysql: MysqlConfig;
  readonly database: Database;
  readonly log: LogSink;
  /** Into the producer's queue, in order. */
  readonly enqueue: (row: RoutedRow) => void;
  /** The producer's: how many changes it was handed, how many of them Kafka has. */
  readonly handed: () => number;
  readonly acknowledged: () => number;
  /** More than half of the queue is taken: the log goes first. */
  readonly isBusy: () => boolean;
  /** After each chunk that Kafka has. */
  readonly onRows: (rows: number) => void;
  readonly nowMs?: () => number;
}

export class SnapshotRunner {
  readonly #options: SnapshotRunnerOptions;
  #window: ChunkWindow | undefined;
  /** What to await after the high mark: the producer's count behind the chunk. */
  #sent: PromiseWithResolvers<number> | undefined;
  #asked = Promise.withResolvers<void>();
  #throttle: { readonly id: string; readonly throttle: Throttle } | undefined;

  constructor(options: SnapshotRunnerOptions) {
    this.#options = options;
  }

  /** Every event of the stream, after its own changes were enqueued. */
  accept(event: BinlogEvent): void {
    const rows = this.#window?.accept(event);
    if (rows === undefined) return;
    this.#window = undefined;
    for (const row of rows) this.#options.enqueue(row);
    this.#sent?.resolve(this.#options.handed());
  }

  /** There may be something to do: look now. */
  wake(): void {
    this.#asked.resolve();
  }

  /** Resolves when the signal aborts. A database that is away is waited for; any other failure ends the snapshot it happened in. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let snapshot: Snapshot | undefined;
      try {
        snapshot = await nextSnapshot(this.#options.database);
        if (snapshot === undefined) await this.#idle(signal);
        else await this.#work(snapshot, signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#fail(snapshot, error);
        await sleep(RETRY_PAUSE_MS, signal).catch(() => {});
      }
    }
  }

  async #idle(signal: AbortSignal): Promise<void> {
    await Promise.race([sleep(LOOK_EVERY_MS, signal), this.#asked.promise]).catch(() => {});
    this.#asked = Promise.withResolvers();
  }

  async #fail(snapshot: Snapshot | undefined, error: unknown): Promise<void> {
    const { database, log } = this.#options;
    const isPassing = isTandemError(error) && error.retryable;
    log.error({ err: error, snapshot: snapshot?.id }, isPassing ? 'a snapshot is interrupted and goes on' : 'a snapshot failed');
    if (snapshot === undefined || isPassing) return;
    const failure = isTandemError(error) ? `${error.code}: ${error.message}` : String(error);
    await endSnapshot(database, snapshot.id, 'failed', failure).catch((err: unknown) => log.warn({ err }, 'the failure of a snapshot could not be noted'));
  }

  async #work(snapshot: Snapshot, signal: AbortSignal): Promise<void> {
    const { mysql, database, log } = this.#options;
    log.info({ snapshot: snapshot.id, table: snapshot.table, afterId: snapshot.afterId }, snapshot.state === 'running' ? 'a snapshot goes on' : 'a snapshot begins');
    const connection = await openRawConnection(mysql, { role: 'snapshot', queryDeadlineMs: READ_DEADLINE_MS });
    const close = (): void => connection.destroy();
    signal.addEventListener('abort', close, { once: true });
    try {
      const first = snapshot.table === null ? 0 : snapshot.tables.indexOf(snapshot.table);
      for (const table of snapshot.tables.slice(first)) {
        const afterId = table === snapshot.table ? snapshot.afterId : null;
        if (!(await this.#copyTable(connection, snapshot, { table, afterId }, signal))) return;
      }
      if (await endSnapshot(database, snapshot.id, 'done')) log.info({ snapshot: snapshot.id }, 'a snapshot is complete: Kafka has every row');
    } finally {
      signal.removeEventListener('abort', close);
      this.#window = undefined;
      await connection.close();
    }
  }

  /** False where the snapshot was cancelled. */
  async #copyTable(connection: RawConnection, snapshot: Snapshot, at: { readonly table: string; readonly afterId: string | null }, signal: AbortSignal): Promise<boolean> {
    const { database, onRows } = this.#options;
    const rows = Math.max(1, Math.min(CHUNK_ROWS_MAX, Math.floor(snapshot.rowsPerSecond / CHUNKS_PER_SECOND_MIN)));
    for (let { afterId } = at; ; ) {
      await this.#mayGoOn(snapshot, signal);
      const ids = await nextIds(connection, at.table, afterId, { rows, bytes: CHUNK_BYTES_MAX });
      const lastId = ids.at(-1);
      if (lastId === undefined) return true;
      this.#throttleOf(snapshot).take(ids.length);
      if (!(await this.#sendChunk(connection, snapshot, at.table, { afterId, lastId }, signal))) return false;
      if (!(await writeProgress(database, snapshot.id, { table: at.table, afterId: lastId, rows: ids.length }))) return false;
      onRows(ids.length);
      afterId = lastId;
    }
  }

  async #sendChunk(connection: RawConnection, { id }: Snapshot, table: string, range: IdRange, signal: AbortSignal): Promise<boolean> {
    const { region, partitions, mysql, database } = this.#options;
    const name = randomBytes(12).toString('hex');
    const marks = { low: `${name}-low`, high: `${name}-high` };
    const window = new ChunkWindow({ region, partitions, database: mysql.database, marks, table, range });
    const sent = Promise.withResolvers<number>();
    this.#window = window;
    this.#sent = sent;
    if (!(await writeMark(database, id, marks.low))) return false;
    const where = range.afterId === null ? 'id <= ?' : 'id > ? AND id <= ?';
    const params = [range.afterId, range.lastId].filter((each) => each !== null).map(BigInt);
    window.load(await readRows(connection, table, where, params));
    if (!(await writeMark(database, id, marks.high))) return false;
    const count = await abortable(sent.promise, signal);
    while (this.#options.acknowledged() < count) await sleep(WAIT_STEP_MS, signal);
    return true;
  }

  async #mayGoOn(snapshot: Snapshot, signal: AbortSignal): Promise<void> {
    const throttle = this.#throttleOf(snapshot);
    while (throttle.waitMs > 0 || this.#options.isBusy()) await sleep(Math.max(WAIT_STEP_MS, Math.ceil(throttle.waitMs)), signal);
  }

  #throttleOf({ id, rowsPerSecond }: Snapshot): Throttle {
    if (this.#throttle?.id !== id) this.#throttle = { id, throttle: new Throttle(rowsPerSecond, this.#options.nowMs ?? (() => performance.now())) };
    return this.#throttle.throttle;
  }
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort));
}
