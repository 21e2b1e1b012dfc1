/**
 * One connection of its own, outside of any pool, whose values are the server's own texts: for replication and diff.
 *
 * Invariant: what is read can be written back without changing a digit. FLOAT is the exception: as text the server
 * prints six digits of it, so whoever needs the rest selects CAST(column AS DOUBLE). It does not reconnect: a lost session
 * has lost its variables and its transaction, and only its owner knows what follows from that.
 */
import { createConnection } from 'mysql2';
import type { Connection } from 'mysql2';
import { assert } from '../kernel/assert.ts';
import { withDeadline } from '../kernel/deadline.ts';
import type { MysqlConfig } from './database.ts';
import { isFatalToConnection, translateDriverError } from './driver-errors.ts';
import { CONNECT_DEADLINE_MS, SESSION_STATEMENTS, connectionOptions } from './session.ts';
import { executeStatement, queryRows, sendScript } from './statement.ts';
import type { StatementResult } from './statement.ts';

export type { StatementResult } from './statement.ts';

const QUERY_DEADLINE_MS = 10_000;
const CLOSE_DEADLINE_MS = 1000;

/**
 * BIGINT, DECIMAL and temporal values: exact strings as the server prints them (UTC). JSON: string. Binary: Buffer.
 * FLOAT, DOUBLE and integers of 32 bits or less: number.
 */
export type RawValue = null | string | number | Buffer;
export type RawRow = Record<string, RawValue>;

export interface RawConnection {
  query<Row = RawRow>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  execute(sql: string, params?: readonly unknown[]): Promise<{ affectedRows: number }>;
  /**
   * Sends finished statements (sql-text.ts) in one packet and gives what each said. Where one fails, those behind it are not
   * run, and its error is thrown. Needs the option `scripts`. Throws db-failed where the packet is larger than the server takes.
   */
  script(statements: readonly string[], limits?: { readonly deadlineMs?: number }): Promise<StatementResult[]>;
  /** True once the connection is lost or destroyed; it never comes back: open another. */
  readonly isLost: boolean;
  close(): Promise<void>;
  destroy(): void;
}

export interface RawConnectionOptions {
  /** Names the connection in errors and in the server's connection attributes: 'apply', 'diff'. */
  readonly role: string;
  /** Set on the session before anything else; the names are code, not input: { '@tandem_apply': 1 }. */
  readonly session?: Readonly<Record<string, string | number>>;
  readonly queryDeadlineMs?: number;
  /**
   * Allows script(). HAZARD: on such a connection an unescaped value could be a statement of its own; query() and execute()
   * stay safe by their parameters, script() by sql-text.ts.
   */
  readonly scripts?: boolean;
}

/** Throws db-unavailable when it cannot connect in time. */
export async function openRawConnection(config: MysqlConfig, options: RawConnectionOptions): Promise<RawConnection> {
  const connection = createConnection({
    ...connectionOptions(config),
    bigNumberStrings: true,
    dateStrings: true,
    multipleStatements: options.scripts === true,
    connectAttributes: { program_name: `tandem-${options.role}` },
  });
  const raw = new SingleConnection(connection, options.queryDeadlineMs ?? QUERY_DEADLINE_MS);
  try {
    await withDeadline(`mysql: ${options.role} connects`, CONNECT_DEADLINE_MS, () => connected(connection));
    for (const sql of SESSION_STATEMENTS) await raw.execute(sql);
    for (const [name, value] of Object.entries(options.session ?? {})) await raw.execute(`SET ${name} = ?`, [value]);
    if (options.scripts === true) await raw.learnLimit();
  } catch (e) {
    raw.destroy();
    throw translateDriverError(e, `connection for ${options.role}`);
  }
  return raw;
}

function connected(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

class SingleConnection implements RawConnection {
  readonly #connection: Connection;
  readonly #queryDeadlineMs: number;
  #isLost = false;
  /** The server's max_allowed_packet; 0: scripts are not allowed. */
  #packetBytesMax = 0;

  constructor(connection: Connection, queryDeadlineMs: number) {
    this.#connection = connection;
    this.#queryDeadlineMs = queryDeadlineMs;
    const lose = (): void => void (this.#isLost = true);
    // Without a listener the driver throws the loss of an idle connection at the whole process.
    connection.on('error', lose);
    connection.on('end', lose);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  query<Row>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.#watched(queryRows<Row>(this.#connection, sql, params, { deadlineMs: this.#queryDeadlineMs }));
  }

  execute(sql: string, params: readonly unknown[] = []): Promise<{ affectedRows: number }> {
    return this.#watched(executeStatement(this.#connection, sql, params, { deadlineMs: this.#queryDeadlineMs }));
  }

  async learnLimit(): Promise<void> {
    const [row] = await this.query<{ bytes: number | string }>('SELECT @@max_allowed_packet AS bytes');
    this.#packetBytesMax = Number(row?.bytes);
  }

  script(statements: readonly string[], { deadlineMs = this.#queryDeadlineMs }: { readonly deadlineMs?: number } = {}): Promise<StatementResult[]> {
    assert(this.#packetBytesMax > 0, 'this connection was not opened for scripts');
    return this.#watched(sendScript(this.#connection, statements, { deadlineMs, bytesMax: this.#packetBytesMax }));
  }

  async close(): Promise<void> {
    try {
      await withDeadline('mysql: closing', CLOSE_DEADLINE_MS, () => new Promise<void>((resolve) => this.#connection.end(() => resolve())));
    } catch {
      // An unanswered goodbye is as good as an answered one.
    } finally {
      this.destroy();
    }
  }

  destroy(): void {
    this.#isLost = true;
    this.#connection.destroy();
  }

  async #watched<T>(running: Promise<T>): Promise<T> {
    try {
      return await running;
    } catch (e) {
      if (isFatalToConnection(e)) this.#isLost = true;
      throw e;
    }
  }
}
