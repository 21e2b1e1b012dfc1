/**
 * Dead letters for people: shows them, writes them again, gives them up. It runs beside the partitions, on a connection of its own.
 *
 * Invariants: each transaction begins with the checkpoint row of the letters' partition, which keeps that partition's own from
 * running beside it and is the loop marker. A unit's letters are written in the order of their offsets; while some are left, the
 * first of them holds the unit, so whatever the partition reads meanwhile queues up behind them.
 */
import type { ConflictRules } from '../../shared/schema/conflict-rules.ts';
import { retry } from '../../shared/kernel/retry.ts';
import { TandemError, isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { literal } from '../../shared/mysql/sql-text.ts';
import { DEAD_LETTER_TABLE } from '../../shared/schema/tables.ts';
import type { Change } from '../change/envelope.ts';
import { ChangeFault, UniqueCollision, writeChanges } from './batch-writer.ts';
import { markCheckpoint } from './checkpoint.ts';
import type { DeadLetter, DeadLetters, LetterChoice, LetterFilter, LetterKind, LetterState, SettleReport } from './dead-letters.ts';
import { causeOf, isContention, isDataFault } from './faults.ts';
import { keepLetter, settleLetters } from './letters.ts';
import { setAside } from './set-aside.ts';
import { TableCatalog } from './table-catalog.ts';

export interface LetterDeskDeps {
  readonly source: string;
  readonly database: string;
  readonly connect: () => Promise<RawConnection>;
  readonly rules: () => ConflictRules;
  /** A parked message is a whole change: parts were put together before. Throws change-malformed. */
  readonly decode: (message: Buffer, catalog: TableCatalog) => Change;
}

const LIST_LIMIT = 100;
/** Letters written in one transaction: the partition waits meanwhile. */
const LETTERS_PER_TRANSACTION = 100;
const TRIES = { attempts: 20, baseMs: 10, maxMs: 500 } as const;
const SET_ASIDES_MAX = 100;

interface LetterRow {
  readonly id: string; readonly source: string; readonly partition_no: number; readonly message_offset: string; readonly kind: LetterKind;
  readonly state: LetterState; readonly holds_unit: number; readonly unit: number | null; readonly table_name: string | null; readonly row_id: string | null;
  readonly code: string; readonly cause: string; readonly tries: number; readonly parked_at: string; readonly settled_at: string | null;
}
const COLUMNS = 'id, source, partition_no, message_offset, kind, state, holds_unit, unit, table_name, row_id, code, cause, tries, parked_at, settled_at';

/** Letters that settle together: those of a waiting unit, or one that nothing waits for. */
interface Queue { readonly partition: number; readonly unit: number | null; readonly only: string | null }
interface Outcome { retried: number; skipped: number; readonly failed: { id: string; code: string; cause: string }[] }

export class LetterDesk implements DeadLetters {
  readonly #deps: LetterDeskDeps;
  readonly #catalog: TableCatalog;
  #connection: RawConnection | undefined;
  /** One call at a time: they share a connection. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(deps: LetterDeskDeps) {
    this.#deps = deps;
    this.#catalog = new TableCatalog(deps.database);
  }

  list({ state = 'waiting', kind, unit, limit = LIST_LIMIT }: LetterFilter = {}): Promise<DeadLetter[]> {
    return this.#inTurn(async (connection) => {
      const conditions = [`source = ${literal(this.#deps.source)}`];
      if (state !== 'all') conditions.push(`state = ${literal(state)}`);
      if (kind !== undefined) conditions.push(`kind = ${literal(kind)}`);
      if (unit !== undefined) conditions.push(`unit = ${unit}`);
      const rows = await connection.query<LetterRow>(
        `SELECT ${COLUMNS} FROM ${DEAD_LETTER_TABLE} WHERE ${conditions.join(' AND ')} ORDER BY parked_at, partition_no, message_offset LIMIT ${Math.trunc(limit)}`,
      );
      return rows.map(letterOf);
    });
  }

  message(id: string): Promise<Buffer> {
    return this.#inTurn(async (connection) => {
      const [row] = await connection.query<{ message: Buffer }>(`SELECT message FROM ${DEAD_LETTER_TABLE} WHERE id = ?`, [idOf(id)]);
      if (row === undefined) throw unknown(id);
      return row.message;
    });
  }

  retry(choice: LetterChoice): Promise<SettleReport> {
    return this.#inTurn(async (connection) => await this.#settle(connection, await this.#queuesOf(connection, choice), null));
  }

  skip(id: string): Promise<SettleReport> {
    return this.#inTurn(async (connection) => await this.#settle(connection, await this.#queuesOf(connection, { id }), id));
  }

  async close(): Promise<void> {
    await this.#tail.catch(() => {});
    await this.#connection?.close();
    this.#connection = undefined;
  }

  async #queuesOf(connection: RawConnection, choice: LetterChoice): Promise<Queue[]> {
    const which = choice === 'all' ? '' : 'id' in choice ? ` AND id = ${idOf(choice.id)}` : ` AND unit = ${Math.trunc(choice.unit)}`;
    const rows = await connection.query<{ id: string; partition_no: number; unit: number | null; kind: LetterKind; holds_unit: number }>(
      `SELECT id, partition_no, unit, kind, holds_unit FROM ${DEAD_LETTER_TABLE}
       WHERE state = 'waiting' AND source = ?${which} ORDER BY partition_no, message_offset`, [this.#deps.source],
    );
    if (rows.length === 0 && choice !== 'all' && 'id' in choice) throw unknown(choice.id);
    const queues = new Map<string, Queue>();
    for (const { id, partition_no, unit, kind, holds_unit } of rows) {
      // One that waits behind others settles with them; one that nothing waits for by itself.
      const queue = kind === 'held' || holds_unit === 1 ? { partition: partition_no, unit, only: null } : { partition: partition_no, unit, only: id };
      queues.set(`${queue.partition}/${queue.unit}/${queue.only}`, queue);
    }
    return [...queues.values()];
  }

  async #settle(connection: RawConnection, queues: readonly Queue[], skipped: string | null): Promise<SettleReport> {
    const outcome: Outcome = { retried: 0, skipped: 0, failed: [] };
    for (const queue of queues) {
      let isOver = false;
      while (!isOver) isOver = await this.#transaction(connection, queue, skipped, outcome);
    }
    const waiting = await connection.query<{ unit: number }>(
      `SELECT DISTINCT unit FROM ${DEAD_LETTER_TABLE} WHERE state = 'waiting' AND source = ? AND holds_unit = 1 ORDER BY unit`, [this.#deps.source],
    );
    return { ...outcome, parkedUnits: waiting.map(({ unit }) => unit) };
  }

  /** The next letters of the queue. True where it is empty, or its first letter failed. */
  async #transaction(connection: RawConnection, queue: Queue, skipped: string | null, outcome: Outcome): Promise<boolean> {
    let setAsides = 0;
    return await retry(async () => {
      for (;;) {
        try {
          return await this.#once(connection, queue, skipped, outcome);
        } catch (error) {
          await rollback(connection);
          if (!(error instanceof UniqueCollision) || setAsides >= SET_ASIDES_MAX) throw error;
          setAsides += 1;
          await setAside(connection, this.#deps.rules(), error);
        }
      }
    }, { ...TRIES, isRetryable: (error) => isContention(error) && !connection.isLost });
  }

  async #once(connection: RawConnection, queue: Queue, skipped: string | null, outcome: Outcome): Promise<boolean> {
    const key = { source: this.#deps.source, partition: queue.partition };
    await connection.script(['START TRANSACTION', markCheckpoint(key)]);
    const letters = await this.#next(connection, queue);
    const done = { retried: [] as string[], skipped: [] as string[] };
    let failure: { id: string; code: string; cause: string } | undefined;
    for (const letter of letters.slice(0, LETTERS_PER_TRANSACTION)) {
      if (letter.id === skipped) {
        done.skipped.push(letter.id);
        continue;
      }
      await connection.script(['SAVEPOINT before_letter']);
      try {
        await this.#write(connection, letter);
        done.retried.push(letter.id);
      } catch (error) {
        const cause = error instanceof ChangeFault ? error.cause : error;
        if (!isDataFault(cause) && !isTandemError(cause, 'apply-schema-behind')) throw error;
        await connection.script(['ROLLBACK TO SAVEPOINT before_letter']);
        failure = { id: letter.id, ...causeOf(cause) };
        await connection.script([keepLetter(letter.id, queue.only === null, { ...failure, tries: letter.tries + 1 })]);
        break;
      }
    }
    const settled = done.retried.length + done.skipped.length;
    const rest = failure === undefined ? letters[settled] : undefined;
    const statements: string[] = [];
    if (done.retried.length > 0) statements.push(settleLetters(done.retried, 'retried'));
    if (done.skipped.length > 0) statements.push(settleLetters(done.skipped, 'skipped'));
    if (rest !== undefined && queue.only === null) statements.push(keepLetter(rest.id, true, null));
    await connection.script([...statements, 'COMMIT']);
    outcome.retried += done.retried.length;
    outcome.skipped += done.skipped.length;
    if (failure !== undefined) outcome.failed.push(failure);
    return failure !== undefined || rest === undefined;
  }

  /** One more than are written at once, to know whether that is all. The checkpoint's lock keeps others from adding to them. */
  async #next(connection: RawConnection, { partition, unit, only }: Queue): Promise<{ id: string; message: Buffer; tries: number }[]> {
    const which = only === null ? `unit = ${Number(unit)} AND (kind = 'held' OR holds_unit = 1)` : `id = ${idOf(only)}`;
    return await connection.query<{ id: string; message: Buffer; tries: number }>(
      `SELECT id, message, tries FROM ${DEAD_LETTER_TABLE} WHERE state = 'waiting' AND source = ? AND partition_no = ? AND ${which}
       ORDER BY message_offset LIMIT ${LETTERS_PER_TRANSACTION + 1} FOR UPDATE`, [this.#deps.source, partition],
    );
  }

  async #write(connection: RawConnection, { message }: { readonly message: Buffer }): Promise<void> {
    const change = this.#deps.decode(message, this.#catalog);
    await writeChanges({ connection, run: async (statements) => (statements.length === 0 ? [] : await connection.script(statements)) }, {
      catalog: this.#catalog, rules: this.#deps.rules(), mode: 'literal', parked: new Set(), poison: null, mayAssume: () => false, isRepeated: () => false,
    }, [{ change, offset: 0n, message }]);
  }

  #inTurn<T>(run: (connection: RawConnection) => Promise<T>): Promise<T> {
    const turn = this.#tail.catch(() => {}).then(async () => {
      if (this.#connection === undefined || this.#connection.isLost) this.#connection = await this.#deps.connect();
      return await run(this.#connection);
    });
    this.#tail = turn.catch(() => {});
    return turn;
  }
}

async function rollback(connection: RawConnection): Promise<void> {
  if (!connection.isLost) await connection.script(['ROLLBACK']).catch(() => connection.destroy());
}

function letterOf(row: LetterRow): DeadLetter {
  return {
    id: row.id, source: row.source, partition: row.partition_no, offset: BigInt(row.message_offset), kind: row.kind, state: row.state,
    holdsUnit: row.holds_unit === 1, unit: row.unit, table: row.table_name, rowId: row.row_id, code: row.code, cause: row.cause, tries: row.tries,
    parkedAt: timeOf(row.parked_at), settledAt: row.settled_at === null ? null : timeOf(row.settled_at),
  };
}

/** The server's text is UTC. */
function timeOf(text: string): string {
  return `${text.replace(' ', 'T')}Z`;
}

function idOf(id: string): bigint {
  if (!/^[0-9]{1,19}$/.test(id)) throw unknown(id);
  return BigInt(id);
}

function unknown(id: string): TandemError {
  return new TandemError('not-found', `no dead letter ${id.slice(0, 40)} waits here`, { details: { id: id.slice(0, 40) } });
}
