/**
 * Writes what was read of one partition into the target, and deals with what can be dealt with in place: locks, collisions, rows
 * that stand otherwise than was assumed, changes that cannot be written.
 *
 * Invariants: a change is parked only for a fault of its own data, after as many tries as were set, in the transaction that moves
 * the checkpoint past it. What is thrown from here is not of the data: the checkpoint has moved, the connection is lost, the
 * server takes no writes, the schema is behind.
 */
import type { ConflictRules } from '../../shared/schema/conflict-rules.ts';
import { sleep } from '../../shared/kernel/deadline.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { pauseMs } from '../../shared/kernel/retry.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import type { Change } from '../change/envelope.ts';
import { ChangeFault, UniqueCollision, WrongAssumption, writeChanges } from './batch-writer.ts';
import type { WriteMode, WriteReport, WriteResult } from './batch-writer.ts';
import type { CheckpointKey, CheckpointMove } from './checkpoint.ts';
import { collidingKey, isContention, isDataFault, isSchemaFault } from './faults.ts';
import { parkLetters, skippedLetter } from './letters.ts';
import type { Delivery, Letter, PoisonPolicy } from './letters.ts';
import { setAside } from './set-aside.ts';
import type { TableCatalog } from './table-catalog.ts';
import { ParkedUnitsChanged, TargetTransaction } from './target-transaction.ts';

export interface Poison {
  /** How often a change is tried before it is parked. */
  readonly tries: number;
  readonly policy: PoisonPolicy;
}

export interface PartitionWriterDeps {
  readonly key: CheckpointKey;
  readonly connected: () => Promise<RawConnection>;
  readonly catalog: TableCatalog;
  readonly rules: ConflictRules;
  readonly log: LogSink;
  readonly signal: () => AbortSignal;
  readonly poison: Poison;
  /** Told while a batch has met locks for longer than they ordinarily take; null once it gets on. */
  readonly onContended: (error: unknown) => void;
}

export interface Written {
  readonly report: WriteReport;
  /** ms, see TargetTransaction. */
  readonly waitedMs: number;
  readonly committedMs: number;
}

/** What is to be written, and where that moves the checkpoint. */
export interface Batch {
  readonly deliveries: readonly Delivery[];
  /** Letters that are there already: messages that could not be read. */
  readonly letters: readonly Letter[];
  readonly move: CheckpointMove;
  readonly isRepeated: (change: Change) => boolean;
}

const CONTENTION_PAUSE = { baseMs: 5, maxMs: 500 } as const;
/** After this many tries in a row an operator is to see what it waits for. */
const CONTENTION_QUIET_TRIES = 5;
const FAULT_PAUSE = { baseMs: 50, maxMs: 1_000 } as const;
/** Rows set aside for one batch; more than that is not a collision but a schema that differs. */
const SET_ASIDES_MAX = 1_000;
/** Batches for which the rows of a table are read first after they stood otherwise than assumed; doubles each time. */
const READ_FIRST_BATCHES = { first: 8, max: 512 } as const;

export class PartitionWriter {
  readonly #deps: PartitionWriterDeps;
  #parked: ReadonlySet<number> = new Set();
  readonly #readFirst = new Map<string, { left: number; next: number }>();
  #mode: WriteMode = 'bulk';
  /** How often a change failed at this checkpoint. */
  #faults = { at: -1n, count: 0 };
  #tries = 0;
  #setAsides = 0;
  /** Conflicts that setting aside has recorded since the last commit. */
  #aside: Record<string, number> = {};

  constructor(deps: PartitionWriterDeps) {
    this.#deps = deps;
  }

  /** Units that wait, as of the last transaction. */
  get parked(): ReadonlySet<number> {
    return this.#parked;
  }

  /** One transaction, tried again and again for whatever another try heals. Throws what is not of the data. */
  async whole(batch: Batch): Promise<Written> {
    for (;;) {
      const transaction = await this.begin(batch.move);
      try {
        const { report, statements } = await this.write(transaction, batch);
        await transaction.commit([...statements, ...this.#parking([...batch.letters, ...report.letters])]);
        this.committed(batch.deliveries);
        return this.#written(transaction, report, batch.letters);
      } catch (error) {
        await transaction.rollback();
        await this.heal(error, batch);
      }
    }
  }

  async begin(move: CheckpointMove): Promise<TargetTransaction> {
    return new TargetTransaction(await this.#deps.connected(), this.#deps.key, move, this.#parked);
  }

  /** All but the last statements: those are the caller's to send, with COMMIT or before the next step. */
  async write(transaction: TargetTransaction, { deliveries, move, isRepeated }: Batch, isStep = false): Promise<WriteResult> {
    const { key, catalog, rules, poison } = this.#deps;
    const isLastTry = this.#faults.at === move.expected && this.#faults.count >= poison.tries;
    return await writeChanges(transaction, {
      catalog, rules, mode: this.#mode, parked: this.#parked, isRepeated,
      poison: isLastTry ? { policy: poison.policy, tries: this.#faults.count, skipped: ({ offset }) => skippedLetter(key, offset) } : null,
      mayAssume: (table) => !isStep && (this.#readFirst.get(table)?.left ?? 0) === 0,
    }, deliveries);
  }

  /** A step of a transaction that is larger than memory: sends everything, commits nothing. Assuming wrongly would cost all steps. */
  async writeStep(transaction: TargetTransaction, batch: Batch): Promise<WriteReport> {
    const { report, statements } = await this.write(transaction, batch, true);
    await transaction.run([...statements, ...this.#parking([...batch.letters, ...report.letters])]);
    return report;
  }

  /** After COMMIT. */
  committed(deliveries: readonly Delivery[]): void {
    this.#mode = 'bulk';
    this.#tries = 0;
    this.#setAsides = 0;
    this.#faults = { at: -1n, count: 0 };
    this.#deps.onContended(null);
    for (const table of this.#readFirst.size === 0 ? [] : new Set(deliveries.map(({ change }) => change.table))) {
      const entry = this.#readFirst.get(table);
      if (entry !== undefined && entry.left > 0) entry.left -= 1;
    }
  }

  /** Conflicts of rows that were set aside on the way to this commit. */
  takeAside(): Record<string, number> {
    const aside = this.#aside;
    this.#aside = {};
    return aside;
  }

  /** After a rollback: returns where another try may go better. Throws the error where not. */
  async heal(error: unknown, { deliveries, move }: Pick<Batch, 'deliveries' | 'move'>): Promise<void> {
    const { signal, log, key, catalog } = this.#deps;
    signal().throwIfAborted();
    if (error instanceof ParkedUnitsChanged) this.#parked = error.units;
    else if (error instanceof WrongAssumption) this.#readRowsFirst(error.tables);
    else if (error instanceof UniqueCollision && this.#setAsides < SET_ASIDES_MAX) await this.#setAside(error);
    else if (this.#mode === 'bulk' && (collidingKey(error) !== undefined || isDataFault(error))) this.#mode = 'literal';
    else if (error instanceof ChangeFault) await this.#noteFault(error, move.expected);
    else if (isSchemaFault(error)) {
      // Looks at the tables anew, and so either goes by what they are now or says what they lack.
      await catalog.reload(await this.#deps.connected());
      await this.#pauseFor(error);
    } else if (isContention(error)) {
      if (isTandemError(error, 'db-duplicate')) this.#readRowsFirst(deliveries.map(({ change }) => change.table));
      log.debug({ err: error, partition: key.partition, tries: this.#tries, rows: deliveries.length }, 'a batch met a lock and runs again');
      await this.#pauseFor(error);
    } else throw error;
  }

  #parking(letters: readonly Letter[]): string[] {
    return parkLetters(this.#deps.key, letters);
  }

  #written({ waitedMs, committedMs }: TargetTransaction, report: WriteReport, letters: readonly Letter[]): Written {
    return { report: { ...report, letters: [...letters, ...report.letters] }, waitedMs, committedMs };
  }

  async #setAside(collision: UniqueCollision): Promise<void> {
    this.#setAsides += 1;
    const conflict = await setAside(await this.#deps.connected(), this.#deps.rules, collision);
    if (conflict !== null) this.#aside[conflict.kind] = (this.#aside[conflict.kind] ?? 0) + 1;
  }

  async #noteFault({ change, cause }: ChangeFault, at: bigint): Promise<void> {
    const { signal, log, key, poison, catalog, connected } = this.#deps;
    // Whether the schemas differ is to be said of the tables as they are now.
    await catalog.reload(await connected());
    this.#faults = { at, count: (this.#faults.at === at ? this.#faults.count : 0) + 1 };
    const { count } = this.#faults;
    log.warn({ err: cause, partition: key.partition, table: change.table, id: change.id, unit: change.unit, tries: count, of: poison.tries }, 'a change cannot be written');
    if (count < poison.tries) await sleep(pauseMs(count, FAULT_PAUSE), signal());
  }

  async #pauseFor(error: unknown): Promise<void> {
    this.#tries += 1;
    if (this.#tries >= CONTENTION_QUIET_TRIES) this.#deps.onContended(error);
    await sleep(pauseMs(Math.min(this.#tries, 10), CONTENTION_PAUSE), this.#deps.signal());
  }

  #readRowsFirst(tables: Iterable<string>): void {
    for (const table of new Set(tables)) {
      const left = this.#readFirst.get(table)?.next ?? READ_FIRST_BATCHES.first;
      this.#readFirst.set(table, { left, next: Math.min(left * 2, READ_FIRST_BATCHES.max) });
    }
  }
}
