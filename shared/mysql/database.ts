/**
 * The one way services reach MySQL or MariaDB: single statements, and transactions that are retried where locks collide.
 *
 * Invariant: every call settles by a deadline and throws TandemErrors only (db-*, deadline-exceeded), the driver's error
 * as cause. It builds no SQL and maps no rows; a single statement is never sent twice.
 */
import type { LogSink } from '../kernel/log-sink.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { isTandemError } from '../kernel/tandem-error.ts';
import { countDatabase } from './database-counts.ts';
import type { DatabaseCounts } from './database-counts.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { PoolUse } from './connection-pool.ts';
import { executeStatement, queryRows } from './statement.ts';
import { runTransaction } from './transaction.ts';

export const QUERY_DEADLINE_MS = 5000;

export interface MysqlConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly poolSize?: number;
  /** How long a single statement may take; a long scan wants a database of its own with more. */
  readonly queryDeadlineMs?: number;
}

/**
 * '?' stands for a value: null, string, number, bigint, boolean, Date, Buffer; a list expands (IN (?)), a list of lists
 * to rows (VALUES ?). Types of what comes back: BIGINT bigint, DECIMAL string, DATETIME and TIMESTAMP Date (UTC, to the
 * ms), DATE and JSON string, other integers (TINYINT(1) too) and floating point number, text string, binary Buffer.
 */
export interface Sql {
  query<Row = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** affectedRows counts the rows an UPDATE matched, changed or not. */
  execute(sql: string, params?: readonly unknown[]): Promise<{ affectedRows: number }>;
}

export type Isolation = 'READ COMMITTED' | 'REPEATABLE READ';

export interface TransactionOptions {
  /** A HybridClock: now() becomes @tandem_hlc, the floor of every version that the triggers stamp. */
  readonly clock?: { now(): bigint };
  /** READ COMMITTED by default. */
  readonly isolation?: Isolation;
  readonly readOnly?: true;
  /** Budget of all attempts together, 10 s by default. */
  readonly deadlineMs?: number;
}

export interface Database extends Sql {
  /**
   * Runs `work` in a transaction, up to 5 times where it met a deadlock or waited too long for a lock (then
   * db-unavailable with details.contended). `work` must have no effect outside of `tx`.
   * Throws db-commit-unknown when the connection is lost while COMMIT is under way.
   */
  transaction<T>(work: (tx: Sql) => Promise<T>, options?: TransactionOptions): Promise<T>;
  ping(deadlineMs: number): Promise<void>;
  /** How near the pool is to its limit, now. */
  readonly use: PoolUse;
  close(): Promise<void>;
}

export interface DatabaseDeps {
  readonly log: LogSink;
  /** Shows the pool's use against its limit, retried transactions, and errors by code; one database a process has it. */
  readonly metrics?: Metrics;
}

/** Connects on first use; nothing is thrown here. */
export function openDatabase(config: MysqlConfig, deps: DatabaseDeps): Database {
  return new PooledDatabase(config, deps);
}

class PooledDatabase implements Database {
  readonly #pool: ConnectionPool;
  readonly #log: LogSink;
  readonly #queryDeadlineMs: number;
  readonly #counts: DatabaseCounts;

  constructor(config: MysqlConfig, { log, metrics }: DatabaseDeps) {
    this.#pool = new ConnectionPool(config, log);
    this.#log = log;
    this.#queryDeadlineMs = config.queryDeadlineMs ?? QUERY_DEADLINE_MS;
    this.#counts = countDatabase(metrics, () => this.#pool.use);
  }

  get use(): PoolUse {
    return this.#pool.use;
  }

  query<Row>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.#withConnection((connection) => queryRows<Row>(connection, sql, params, { deadlineMs: this.#queryDeadlineMs }));
  }

  execute(sql: string, params: readonly unknown[] = []): Promise<{ affectedRows: number }> {
    return this.#withConnection((connection) => executeStatement(connection, sql, params, { deadlineMs: this.#queryDeadlineMs }));
  }

  transaction<T>(work: (tx: Sql) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const onRetry = (): void => {
      this.#counts.retried();
      this.#log.debug({}, 'mysql: a transaction met a lock and runs again');
    };
    return this.#counted(runTransaction({ pool: this.#pool, onRetry }, work, options));
  }

  async ping(deadlineMs: number): Promise<void> {
    await this.#withConnection((connection) => executeStatement(connection, 'DO 1', [], { deadlineMs }));
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #counted<T>(running: Promise<T>): Promise<T> {
    try {
      return await running;
    } catch (e) {
      // What the work itself throws is no error of the database.
      if (isTandemError(e) && (e.code.startsWith('db-') || e.code === 'deadline-exceeded')) this.#counts.failed(e.code);
      throw e;
    }
  }

  #withConnection<T>(run: (connection: Awaited<ReturnType<ConnectionPool['acquire']>>) => Promise<T>): Promise<T> {
    return this.#counted(this.#acquired(run));
  }

  async #acquired<T>(run: (connection: Awaited<ReturnType<ConnectionPool['acquire']>>) => Promise<T>): Promise<T> {
    const connection = await this.#pool.acquire();
    try {
      return await run(connection);
    } catch (e) {
      if (isTandemError(e, 'db-read-only')) this.#pool.evictAll();
      throw e;
    } finally {
      this.#pool.release(connection);
    }
  }
}
