/**
 * Runs a piece of work in a transaction, again and again where locks got in its way, inside one budget.
 *
 * Invariant: the work's effects happen once or not at all, with one named exception: when the connection is lost while
 * COMMIT is under way nobody knows, and the error says so (db-commit-unknown; deadline-exceeded likewise).
 * `work` may run several times: it must have no effect outside of its `tx`.
 */
import { performance } from 'node:perf_hooks';
import type { PoolConnection } from 'mysql2';
import { assert } from '../kernel/assert.ts';
import { withDeadline } from '../kernel/deadline.ts';
import { retry } from '../kernel/retry.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { Sql, TransactionOptions } from './database.ts';
import { endsTransaction, isContended } from './driver-errors.ts';
import { executeStatement, queryRows } from './statement.ts';

export const TRANSACTION_DEADLINE_MS = 10_000;
export const TRANSACTION_ATTEMPTS_MAX = 5;
const RETRY_BASE_MS = 10;
const RETRY_MAX_MS = 250;
const ROLLBACK_DEADLINE_MS = 1000;

export interface TransactionDeps {
  readonly pool: ConnectionPool;
  /** Called before each run after the first. */
  readonly onRetry?: () => void;
}

export function runTransaction<T>(deps: TransactionDeps, work: (tx: Sql) => Promise<T>, options: TransactionOptions): Promise<T> {
  const deadlineMs = options.deadlineMs ?? TRANSACTION_DEADLINE_MS;
  const endsAtMs = performance.now() + deadlineMs;
  return withDeadline('mysql transaction', deadlineMs, (signal) => retry(
    (attempt) => {
      if (attempt > 1) deps.onRetry?.();
      return runOnce(deps.pool, work, options, { signal, endsAtMs });
    },
    { attempts: TRANSACTION_ATTEMPTS_MAX, baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, isRetryable: isContended, signal },
  ));
}

interface Budget {
  readonly signal: AbortSignal;
  /** By performance.now(). */
  readonly endsAtMs: number;
}

async function runOnce<T>(pool: ConnectionPool, work: (tx: Sql) => Promise<T>, options: TransactionOptions, budget: Budget): Promise<T> {
  const connection = await pool.acquire(budget.signal);
  // The deadline may strike while the work awaits something else than a statement: the locks must go all the same.
  const onAbort = (): void => connection.destroy();
  budget.signal.addEventListener('abort', onAbort, { once: true });
  const tx = new OpenTransaction(connection, budget);
  try {
    await tx.begin(options);
    const value = await work(tx);
    await tx.commit();
    return value;
  } catch (e) {
    const error = tx.ender ?? e;
    if (isTandemError(error, 'db-read-only') && options.readOnly !== true) pool.evictAll();
    await tx.rollback();
    throw error;
  } finally {
    budget.signal.removeEventListener('abort', onAbort);
    pool.release(connection);
  }
}

class OpenTransaction implements Sql {
  readonly #connection: PoolConnection;
  readonly #budget: Budget;
  #state: 'open' | 'committing' | 'closed' = 'open';
  #ender: TandemError | undefined;

  constructor(connection: PoolConnection, budget: Budget) {
    this.#connection = connection;
    this.#budget = budget;
  }

  /**
   * The error with which the server ended the transaction, even where the work swallowed it.
   * HAZARD: after a deadlock the server has rolled back, and the next statement would commit by itself.
   */
  get ender(): TandemError | undefined {
    return this.#ender;
  }

  query<Row>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.#guard(() => queryRows<Row>(this.#connection, sql, params, this.#limits()));
  }

  execute(sql: string, params: readonly unknown[] = []): Promise<{ affectedRows: number }> {
    return this.#guard(() => executeStatement(this.#connection, sql, params, this.#limits()));
  }

  async begin({ clock, isolation, readOnly }: TransactionOptions): Promise<void> {
    // A floor left by an earlier transaction of this session is never above the clock, so it needs no clearing.
    if (clock !== undefined) await this.execute('SET @tandem_hlc = ?', [clock.now()]);
    if (isolation !== undefined) await this.execute(`SET TRANSACTION ISOLATION LEVEL ${isolation}`);
    await this.execute(readOnly === true ? 'START TRANSACTION READ ONLY' : 'START TRANSACTION');
  }

  async commit(): Promise<void> {
    if (this.#ender !== undefined) throw this.#ender;
    assert(this.#state === 'open', 'a transaction is committed once');
    this.#state = 'committing';
    try {
      await executeStatement(this.#connection, 'COMMIT', [], this.#limits());
      this.#state = 'closed';
    } catch (e) {
      if (!isTandemError(e, 'db-unavailable') || isContended(e)) throw e;
      throw new TandemError('db-commit-unknown', 'the connection was lost while the transaction was being committed', { cause: e });
    }
  }

  /** Never throws: a connection that cannot roll back is destroyed, and then the server does it. */
  async rollback(): Promise<void> {
    this.#state = 'closed';
    try {
      await executeStatement(this.#connection, 'ROLLBACK', [], { deadlineMs: ROLLBACK_DEADLINE_MS });
    } catch {
      this.#connection.destroy();
    }
  }

  async #guard<T>(run: () => Promise<T>): Promise<T> {
    assert(this.#state === 'open', 'a statement was sent over a transaction that is over: is an await missing?');
    if (this.#ender !== undefined) throw this.#ender;
    try {
      return await run();
    } catch (e) {
      if (isTandemError(e) && endsTransaction(e)) this.#ender = e;
      throw e;
    }
  }

  #limits(): { deadlineMs: number; signal: AbortSignal } {
    return { deadlineMs: Math.max(1, Math.ceil(this.#budget.endsAtMs - performance.now())), signal: this.#budget.signal };
  }
}
