import type { MysqlConfig } from './database.ts';

/** BIGINT, DECIMAL and temporal values as the exact strings of the server, JSON as string, binary as Buffer, FLOAT and DOUBLE as number. */
export type RawValue = null | string | number | Buffer;
export type RawRow = Record<string, RawValue>;

export interface RawConnection {
  query(sql: string, params?: readonly unknown[]): Promise<RawRow[]>;
  execute(sql: string, params?: readonly unknown[]): Promise<{ affectedRows: number }>;
  /** True once the connection is lost or destroyed; it never comes back: open another. */
  readonly isLost: boolean;
  close(): Promise<void>;
  destroy(): void;
}

export interface RawConnectionOptions {
  /** Names the connection in the server's process list and in errors: 'apply', 'diff'. */
  readonly role: string;
  /** Set on the session before anything else, e.g. { '@tandem_apply': 1 }. */
  readonly session?: Readonly<Record<string, string | number>>;
  readonly queryDeadlineMs?: number;
}

export async function openRawConnection(_config: MysqlConfig, _options: RawConnectionOptions): Promise<RawConnection> {
  throw new Error('under way');
}
