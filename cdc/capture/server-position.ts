/**
 * What a server says of its own binlog: how far it reaches, and from where on it still has it.
 *
 * Invariant: read in one go before a session streams; a purge that comes later is the server's own error when streaming starts.
 * Deliberately absent: what follows from it (start-check.ts).
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../shared/mysql/database.ts';
import { parsePosition } from '../change/position.ts';
import type { Position } from '../change/position.ts';

export interface MariaGtid { readonly domain: string; readonly server: string; readonly sequence: bigint }

export type ServerPosition =
  | { readonly flavour: 'mysql'; readonly executed: Position; readonly purged: Position; readonly oldestFile: string }
  | {
      readonly flavour: 'mariadb';
      /** The last of each domain and server that this server's binlog ever held, or that it received as a replica. */
      readonly known: readonly MariaGtid[];
      /** The end of the binlog. */
      readonly end: Position;
      /** The last of each domain and server before the oldest binlog that is left. */
      readonly purged: readonly MariaGtid[];
      /** Within a domain numbers only grow: a position says exactly what came before it. */
      readonly isStrict: boolean;
      readonly oldestFile: string;
    };

/** Throws capture-unsafe-settings where there is no binlog, db-*, capture-privilege-missing by way of its caller. */
export async function readServerPosition(sql: Sql, flavour: 'mysql' | 'mariadb'): Promise<ServerPosition> {
  const [oldest] = await sql.query<{ Log_name: string }>('SHOW BINARY LOGS');
  if (oldest === undefined) throw new TandemError('capture-unsafe-settings', 'the server has no binary logs', { details: { settings: [{ setting: 'log_bin', value: 'OFF', wanted: 'ON' }] } });
  const oldestFile = oldest.Log_name;
  if (flavour === 'mysql') {
    const [row] = await sql.query<{ executed: string; purged: string }>('SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.gtid_purged AS purged');
    return { flavour, executed: parsePosition(row?.executed ?? ''), purged: parsePosition(row?.purged ?? ''), oldestFile };
  }
  const [row] = await sql.query<{ state: string; end: string; replica: string; strict: number }>(
    'SELECT @@GLOBAL.gtid_binlog_state AS state, @@GLOBAL.gtid_binlog_pos AS end, @@GLOBAL.gtid_slave_pos AS replica, @@GLOBAL.gtid_strict_mode AS strict',
  );
  const [events, state, replica] = [await sql.query<{ Event_type: string; Info: string }>('SHOW BINLOG EVENTS IN ? LIMIT 8', [oldestFile]), mariaGtids(row?.state ?? ''), mariaGtids(row?.replica ?? '')];
  const list = events.find(({ Event_type }) => Event_type === 'Gtid_list')?.Info ?? '';
  // A replica made from a backup knows of transactions that its own binlog never held: to a reader they are purged.
  const domains = new Set(state.map(({ domain }) => domain));
  const before = replica.filter(({ domain }) => !domains.has(domain));
  return {
    flavour, known: [...state, ...replica], end: parsePosition(row?.end ?? ''), purged: [...mariaGtids(list.replaceAll(/[[\]]/g, '')), ...before],
    isStrict: Number(row?.strict) === 1, oldestFile,
  };
}

/** "0-1-5,0-2-7": other than in a position, a domain may stand there once for each server. */
export function mariaGtids(text: string): MariaGtid[] {
  return [...text.matchAll(/(\d+)-(\d+)-(\d+)/g)].map(([, domain = '', server = '', sequence = '0']) => ({ domain, server, sequence: BigInt(sequence) }));
}
