/**
 * A bounded set of connections to one server: acquire with a deadline, release, evict.
 *
 * Invariant: at most `limit` connections exist, and a connection that was open when some statement met a read-only
 * server is never handed out again (HAZARD below). It runs no statements but those that set up a session.
 *
 * HAZARD: after a switch-over the address leads to the new writer while open sockets still end at the old one, now
 * read-only; a pool that keeps them answers "read-only" until it is restarted. Hence evictAll().
 */
import { createPool } from 'mysql2';
import type { Pool, PoolConnection } from 'mysql2';
import { withDeadline } from '../kernel/deadline.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import { translateDriverError } from './driver-errors.ts';
import { SESSION_STATEMENTS, castValue, connectionOptions } from './session.ts';
import type { MysqlConfig } from './database.ts';

export const POOL_SIZE = 10;
/** Callers that may wait for a connection, as a multiple of the pool: more would only meet their deadline in line. */
const QUEUE_PER_CONNECTION = 50;
const ACQUIRE_DEADLINE_MS = 2000;
const IDLE_MS = 60_000;
const CLOSE_DEADLINE_MS = 3000;

export interface PoolUse {
  readonly inUse: number;
  readonly waiting: number;
  readonly limit: number;
}

export class ConnectionPool {
  readonly #pool: Pool;
  readonly #limit: number;
  readonly #open = new Set<PoolConnection>();
  /** Open, but to be destroyed instead of used: they may lead to a server that takes no writes. */
  readonly #evicted = new WeakSet<PoolConnection>();
  #inUse = 0;
  #waiting = 0;

  constructor(config: MysqlConfig, log: LogSink) {
    this.#limit = config.poolSize ?? POOL_SIZE;
    this.#pool = createPool({
      ...connectionOptions(config),
      typeCast: castValue,
      connectionLimit: this.#limit,
      maxIdle: this.#limit - 1,
      idleTimeout: IDLE_MS,
      queueLimit: this.#limit * QUEUE_PER_CONNECTION,
    });
    this.#pool.on('connection', (connection) => this.#prepare(connection as unknown as PoolConnection, log));
  }

  get use(): PoolUse {
    return { inUse: this.#inUse, waiting: this.#waiting, limit: this.#limit };
  }

  /** Throws db-unavailable, with nothing done, when no connection is to be had in time; the parent's reason when it aborts. */
  async acquire(parent?: AbortSignal): Promise<PoolConnection> {
    this.#waiting += 1;
    try {
      const connection = await withDeadline('mysql: waiting for a connection', ACQUIRE_DEADLINE_MS, (signal) => this.#usable(signal), parent);
      this.#inUse += 1;
      return connection;
    } catch (e) {
      if (parent?.aborted === true) throw parent.reason;
      throw new TandemError('db-unavailable', 'no database connection to be had', {
        cause: e, details: { ...translateDriverError(e, 'connecting').details, ...this.use },
      });
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Gives back what acquire gave; a destroyed connection too. */
  release(connection: PoolConnection): void {
    this.#inUse -= 1;
    if (this.#evicted.has(connection)) connection.destroy();
    else connection.release();
  }

  /** Lets no connection that is open now be used for another piece of work. */
  evictAll(): void {
    for (const connection of this.#open) this.#evicted.add(connection);
  }

  async close(): Promise<void> {
    try {
      await withDeadline('mysql: closing the pool', CLOSE_DEADLINE_MS, () => new Promise<void>((resolve, reject) => {
        this.#pool.end((error) => {
          if (error) reject(error);
          else resolve();
        });
      }));
    } catch {
      // A polite goodbye that is not answered changes nothing: the server rolls back what was open.
      for (const connection of this.#open) connection.destroy();
    }
  }

  async #usable(signal: AbortSignal): Promise<PoolConnection> {
    // Each turn destroys an evicted connection, and there are at most `limit` of them.
    for (let turn = 0; turn <= this.#limit; turn += 1) {
      const connection = await this.#next(signal);
      if (!this.#evicted.has(connection)) return connection;
      connection.destroy();
    }
    throw new TandemError('db-unavailable', 'every connection of the pool was evicted');
  }

  #next(signal: AbortSignal): Promise<PoolConnection> {
    return new Promise((resolve, reject) => {
      this.#pool.getConnection((error, connection) => {
        if (error !== null) reject(error);
        else if (signal.aborted) connection.release(); // came too late: nobody waits any more
        else resolve(connection);
      });
    });
  }

  /** Queued on the connection ahead of the first statement of whoever acquired it. */
  #prepare(connection: PoolConnection, log: LogSink): void {
    this.#open.add(connection);
    const forget = (): void => void this.#open.delete(connection);
    connection.on('end', forget);
    // Stays on: a second error of a dying socket, with nobody listening, would end the process.
    connection.on('error', forget);
    for (const sql of SESSION_STATEMENTS) {
      connection.query(sql, (error) => {
        if (error === null) return;
        log.error({ err: error, sql }, 'mysql: a session could not be set up; its connection is dropped');
        connection.destroy();
      });
    }
  }
}
