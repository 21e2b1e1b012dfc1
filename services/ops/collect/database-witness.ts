/**
 * What only the region's own database can tell: the newest heartbeat of the peer that has arrived, the conflicts kept, and the
 * schema's migrations.
 *
 * Invariant: it only reads. It is a witness beside apply's own word: a heartbeat that is in the database has been applied.
 */
import type { Sql } from '../../../shared/mysql/database.ts';

export interface Heartbeat {
  readonly beat: string;
  readonly writtenAtMs: number;
}

/** The peer's newest heartbeat here; null before the first one has arrived. */
export async function readHeartbeat(db: Sql, peerOrigin: number): Promise<Heartbeat | null> {
  const [row] = await db.query<{ beat: bigint; at: Date }>('SELECT beat, at FROM _heartbeats WHERE id = ?', [peerOrigin]);
  return row === undefined ? null : { beat: String(row.beat), writtenAtMs: row.at.getTime() };
}

/** How many conflict rows there are of each kind. */
export async function countConflicts(db: Sql): Promise<Record<string, number>> {
  const rows = await db.query<{ kind: string; count: bigint | number }>('SELECT kind, COUNT(*) AS count FROM _conflicts GROUP BY kind');
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, Number(count)]));
}

/** Each migration with the checksum of its text, as far as it has run. */
export async function readMigrations(db: Sql): Promise<string[]> {
  const rows = await db.query<{ migration: string; step: number | bigint; checksum: string }>('SELECT migration, step, checksum FROM _migrations');
  return rows.map(({ migration, step, checksum }) => `${migration}/${step}/${checksum}`);
}
