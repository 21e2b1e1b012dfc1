import type { LogSink } from '../kernel/log-sink.ts';

export interface MysqlConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly poolSize?: number;
  /** How long one statement outside of transaction() may take; a long scan wants a database of its own with more. */
  readonly queryDeadlineMs?: number;
}

export type SqlParameter = null | string | number | bigint | boolean | Date | Buffer | readonly SqlParameter[];

export interface Sql {
  query<Row = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  execute(sql: string, params?: readonly unknown[]): Promise<{ affectedRows: number }>;
}

export type Isolation = 'READ COMMITTED' | 'REPEATABLE READ';

export interface TransactionOptions {
  /** Structurally a HybridClock: its now() becomes the floor of every version the triggers stamp. */
  readonly clock?: { now(): bigint };
  readonly isolation?: Isolation;
  readonly readOnly?: true;
  readonly deadlineMs?: number;
}

export interface Database extends Sql {
  transaction<T>(work: (tx: Sql) => Promise<T>, options?: TransactionOptions): Promise<T>;
  ping(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseDeps { readonly log: LogSink; readonly metrics?: unknown }

export function openDatabase(_config: MysqlConfig, _deps: DatabaseDeps): Database {
  throw new Error('under way');
}
