/**
 * Applies one partition of the peer's topic, in order, on a connection of its own.
 *
 * Invariants: the database's checkpoint is the only truth. Whatever fails, what was read since is forgotten and reading
 * goes on from the checkpoint; so a lost COMMIT answer, a rebalance or a crash need no case of their own. Deadlocks and
 * lock waits are retried in place. A change that cannot be written (a column is missing, it is malformed) is not passed
 * over: the partition waits, says why, and tries again.
 */
import { sleep } from '../../shared/kernel/deadline.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { pauseMs } from '../../shared/kernel/retry.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { ConsumedBatch } from '../../shared/kafka/consumer.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { HEARTBEAT_TABLE } from '../../shared/schema/tables.ts';
import { extractTrace, inSpan } from '../../shared/telemetry/tracing.ts';
import type { Change } from '../change/envelope.ts';
import type { ConflictRow } from '../resolve/conflict-row.ts';
import { UniqueCollision, collidingKey } from './batch-writer.ts';
import type { WriteMode, WriteReport } from './batch-writer.ts';
import { moveCheckpoint, placeCheckpoint, readCheckpoint } from './checkpoint.ts';
import type { CheckpointKey } from './checkpoint.ts';
import { Pending } from './pending.ts';
import type { Limits, Taken } from './pending.ts';
import { setAside } from './set-aside.ts';
import type { TableCatalog } from './table-catalog.ts';
import { TargetTransaction } from './target-transaction.ts';

/** A batch is whole transactions up to either of these; a larger transaction is written in steps of this size. */
export const BATCH_LIMITS: Limits = { rows: 1_000, bytes: 8 * 1024 * 1024 };
/** Deadlocks, lock waits and inserts that raced a local one: how often a batch runs again before it backs off. */
const CONTENTION_TRIES_MAX = 10;
const CONTENTION_PAUSE = { baseMs: 5, maxMs: 200 } as const;
/** Rows set aside for one batch; more than that is not a collision but a schema that differs. */
const SET_ASIDES_MAX = 1_000;
const BACKOFF_MS = { first: 100, max: 5_000 } as const;
/** Below the consumer's session timeout by a wide margin. */
const GROUP_HEARTBEAT_EVERY_MS = 1_000;

export interface Applied { readonly partition: number; readonly changes: readonly Change[]; readonly report: WriteReport }

export interface PartitionApplyDeps {
  readonly key: CheckpointKey;
  readonly connect: () => Promise<RawConnection>;
  readonly catalog: TableCatalog;
  readonly log: LogSink;
  readonly signal: AbortSignal;
  readonly limits?: Limits;
  /** After each commit. */
  readonly onApplied: (applied: Applied) => void;
}

const NOTHING: WriteReport = { applied: 0, duplicates: 0, stale: 0, conflicts: [] };

export class PartitionApply {
  readonly #deps: PartitionApplyDeps;
  readonly #limits: Limits;
  #connection: RawConnection | undefined;
  #next = 0n;
  #pending: Pending;
  /** Set while a transaction larger than the limits is being written in steps. */
  #open: { readonly transaction: TargetTransaction; report: WriteReport } | undefined;
  /** 'literal' from a collision on until the transaction that is written in steps is committed. */
  #stepMode: WriteMode = 'folded';
  #failures = 0;
  #trouble: string | null = null;

  constructor(deps: PartitionApplyDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? BATCH_LIMITS;
    this.#pending = new Pending(this.#limits, 0n);
  }

  /** The offset after the last one that is committed. */
  get next(): bigint {
    return this.#next;
  }

  /** Why it does not get on at the moment; null while it does. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** The checkpoint as the database has it; null before the first start. Drops what was read and not written. */
  async reload(): Promise<bigint | null> {
    await this.#abandon();
    const checkpoint = await readCheckpoint(await this.#connected(), this.#deps.key);
    this.#startAt(checkpoint ?? 0n);
    return checkpoint;
  }

  async place(next: bigint): Promise<void> {
    await placeCheckpoint(await this.#connected(), this.#deps.key, next);
    this.#startAt(next);
  }

  /** Handles one fetched batch; after trouble it has asked the consumer to go back. Never throws. */
  async handle(batch: ConsumedBatch): Promise<void> {
    try {
      await this.#consume(batch);
      if (this.#failures > 0) this.#deps.log.info({ partition: this.#deps.key.partition }, 'the partition gets on again');
      this.#failures = 0;
      this.#trouble = null;
    } catch (error) {
      await this.#recover(batch, error);
    }
  }

  async close(): Promise<void> {
    await this.#abandon();
    await this.#connection?.close();
    this.#connection = undefined;
  }

  async #consume(batch: ConsumedBatch): Promise<void> {
    let beatMs = performance.now();
    for (const message of batch.messages) {
      if (batch.isStale() || this.#deps.signal.aborted) return;
      if (message.offset < this.#pending.read) continue;
      await this.#add(message);
      if (this.#pending.isFull) await this.#write();
      if (performance.now() - beatMs > GROUP_HEARTBEAT_EVERY_MS) {
        await batch.heartbeat();
        beatMs = performance.now();
      }
    }
    if (this.#pending.hasWhole) await this.#write();
  }

  /** What stands before a malformed change is written before it is complained of. */
  async #add(message: ConsumedBatch['messages'][number]): Promise<void> {
    try {
      this.#pending.add(message);
    } catch (error) {
      if (this.#pending.hasWhole) await this.#write();
      throw error;
    }
  }

  async #write(): Promise<void> {
    if (this.#pending.hasWhole) {
      const taken = this.#pending.takeWhole();
      if (this.#open === undefined) await this.#writeWhole(taken);
      else await this.#finishOpen(taken);
    }
    if (this.#pending.isFull) await this.#writeStep(this.#pending.takeAll());
  }

  async #writeWhole(taken: Taken): Promise<void> {
    if (taken.traceparent === undefined) await this.#writeBatch(taken);
    else {
      const parent = extractTrace({ traceparent: taken.traceparent });
      const attributes = { 'tandem.partition': this.#deps.key.partition, 'messaging.batch.message_count': taken.changes.length };
      await inSpan('changes apply', { kind: 'consumer', parent, attributes }, () => this.#writeBatch(taken));
    }
  }

  async #writeBatch({ changes, next }: Taken): Promise<void> {
    const watermark = watermarkOf(changes);
    const rows = this.#rowsOf(changes);
    const move = { expected: this.#next, next, watermark };
    let report = NOTHING;
    if (rows.length === 0) await moveCheckpoint(await this.#connected(), this.#deps.key, move);
    else {
      report = await this.#retryContention(rows, async (mode) => {
        const transaction = await TargetTransaction.begin(await this.#connected(), this.#deps.catalog, this.#deps.key, move);
        try {
          const written = await transaction.write(rows, mode);
          await transaction.finish({ next, watermark });
          return written;
        } catch (error) {
          await transaction.rollback();
          throw error;
        }
      });
    }
    this.#committed(changes, next, report);
  }

  /** `run` is one try, in a transaction of its own; what collides is resolved between the tries. */
  async #retryContention(rows: readonly Change[], run: (mode: WriteMode) => Promise<WriteReport>): Promise<WriteReport> {
    let mode: WriteMode = 'folded';
    let [tries, setAsides] = [0, 0];
    const conflicts: ConflictRow[] = [];
    for (;;) {
      try {
        const report = await run(mode);
        return { ...report, conflicts: [...conflicts, ...report.conflicts] };
      } catch (error) {
        this.#deps.signal.throwIfAborted();
        if (error instanceof UniqueCollision && setAsides < SET_ASIDES_MAX) {
          setAsides += 1;
          const conflict = await setAside(await this.#connected(), error);
          if (conflict !== null) conflicts.push(conflict);
        } else if (mode === 'folded' && collidingKey(error) !== undefined) {
          mode = 'literal';
        } else if (isWorthAnotherTry(error) && tries < CONTENTION_TRIES_MAX) {
          tries += 1;
          this.#deps.log.debug({ err: error, tries, rows: rows.length }, 'a batch met a lock and runs again');
          await sleep(pauseMs(tries, CONTENTION_PAUSE), this.#deps.signal);
        } else throw error;
      }
    }
  }

  /** Part of a transaction that does not fit in memory. Its failure means to read it from its beginning again. */
  async #writeStep({ changes, next }: Taken): Promise<void> {
    if (this.#open === undefined) {
      const move = { expected: this.#next, next, watermark: 0n };
      const transaction = await TargetTransaction.begin(await this.#connected(), this.#deps.catalog, this.#deps.key, move);
      this.#open = { transaction, report: NOTHING };
    }
    const written = await this.#open.transaction.write(this.#rowsOf(changes), this.#stepMode);
    this.#open.report = sumOf(this.#open.report, written);
  }

  async #finishOpen({ changes, next }: Taken): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    const written = await open.transaction.write(this.#rowsOf(changes), this.#stepMode);
    await open.transaction.finish({ next, watermark: watermarkOf(changes) });
    this.#open = undefined;
    this.#stepMode = 'folded';
    this.#committed(changes, next, sumOf(open.report, written));
  }

  #committed(changes: readonly Change[], next: bigint, report: WriteReport): void {
    this.#next = next;
    this.#deps.onApplied({ partition: this.#deps.key.partition, changes, report });
  }

  /** A heartbeat comes by in every partition; its row is written by the one it belongs to. */
  #rowsOf(changes: readonly Change[]): readonly Change[] {
    return this.#deps.key.partition === 0 ? changes : changes.filter((change) => change.table !== HEARTBEAT_TABLE);
  }

  async #recover(batch: ConsumedBatch, error: unknown): Promise<void> {
    const { log, key, signal } = this.#deps;
    const { partition } = key;
    for (let cause: unknown = error; ; ) {
      if (signal.aborted || batch.isStale()) return;
      this.#failures += 1;
      this.#trouble = isTandemError(cause) ? `${cause.code}: ${cause.message}` : String(cause);
      log.error({ partition, next: String(this.#next), failures: this.#failures, err: cause }, 'the partition goes back to its checkpoint');
      try {
        await this.#abandon();
        if (collidingKey(cause) !== undefined) this.#stepMode = 'literal';
        else if (cause instanceof UniqueCollision) await setAside(await this.#connected(), cause);
        await this.#backOff(batch);
        const checkpoint = await this.reload();
        batch.seek(checkpoint ?? this.#next);
        return;
      } catch (again) {
        cause = again;
      }
    }
  }

  async #backOff(batch: ConsumedBatch): Promise<void> {
    let leftMs = Math.min(BACKOFF_MS.first * 2 ** Math.min(this.#failures - 1, 10), BACKOFF_MS.max);
    while (leftMs > 0 && !batch.isStale()) {
      const stepMs = Math.min(leftMs, GROUP_HEARTBEAT_EVERY_MS);
      await sleep(stepMs, this.#deps.signal);
      await batch.heartbeat();
      leftMs -= stepMs;
    }
  }

  async #abandon(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.transaction.rollback();
    this.#pending = new Pending(this.#limits, this.#next);
  }

  #startAt(next: bigint): void {
    this.#next = next;
    this.#pending = new Pending(this.#limits, next);
  }

  async #connected(): Promise<RawConnection> {
    if (this.#connection === undefined || this.#connection.isLost) this.#connection = await this.#deps.connect();
    return this.#connection;
  }
}

/** A duplicate primary key is a local insert that came between our look and our insert: looking again shows it. */
function isWorthAnotherTry(error: unknown): boolean {
  if (isTandemError(error, 'db-duplicate')) return collidingKey(error) === undefined;
  return isTandemError(error, 'db-unavailable') && error.details['contended'] === true;
}

function sumOf(a: WriteReport, b: WriteReport): WriteReport {
  return {
    applied: a.applied + b.applied,
    duplicates: a.duplicates + b.duplicates,
    stale: a.stale + b.stale,
    conflicts: [...a.conflicts, ...b.conflicts],
  };
}

/** The hlc of the newest heartbeat among them: everything its region wrote before is in this partition before it. */
function watermarkOf(changes: readonly Change[]): bigint {
  const beats = changes.filter((change) => change.table === HEARTBEAT_TABLE);
  return beats.reduce<bigint>((highest, { version }) => (version.hlc > highest ? version.hlc : highest), 0n);
}
