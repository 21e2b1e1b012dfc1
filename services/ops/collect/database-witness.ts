/**
 * What only the region's own database can tell: the newest heartbeat of the peer that has arrived, the conflicts kept, what
 * waits because it could not be written, the snapshot under way, and the schema's migrations.
 *
 * Invariant: it only reads. It is a witness beside apply's own word: a heartbeat that is in the database has been applied.
 */
import type { Sql } from '../../../shared/mysql/database.ts';
import type { Backlog } from '../domain/replication-figures.ts';

export interface Heartbeat {
  readonly beat: string;
  readonly writtenAtMs: number;
}

/** The peer's newest heartbeat here; null before the first one has arrived. */
export async function readHeartbeat(db: Sql, peerOrigin: number): Promise<Heartbeat | null> {
  const [row] = await db.query<{ beat: bigint; at: Date }>('SELECT beat, at FROM _heartbeats WHERE id = ?', [peerOrigin]);
  return row === undefined ? null : { beat: String(row.beat), writtenAtMs: row.at.getTime() };
}

/** Conflicts by kind, dead letters that wait and the units they hold, the snapshot under way (else the newest). */
export async function readBacklog(db: Sql): Promise<Backlog> {
  const [conflicts, letters, units, snapshots] = await Promise.all([
    db.query<KindCount>('SELECT kind, COUNT(*) AS count FROM _conflicts GROUP BY kind'),
    db.query<KindCount>("SELECT kind, COUNT(*) AS count FROM _dead_letters WHERE state = 'waiting' GROUP BY kind"),
    db.query<{ unit: number }>("SELECT DISTINCT unit FROM _dead_letters WHERE state = 'waiting' AND holds_unit = 1 AND unit IS NOT NULL ORDER BY unit"),
    db.query<{ id: bigint; state: string; table_name: string | null; rows_done: bigint }>(
      "SELECT id, state, table_name, rows_done FROM _snapshots ORDER BY state = 'running' DESC, id DESC LIMIT 1",
    ),
  ]);
  const { poison = 0, held = 0 } = byKind(letters);
  const snapshot = snapshots.map(({ id, state, table_name: table, rows_done: rowsDone }) => ({ id: String(id), state, table, rowsDone: Number(rowsDone) }))[0];
  return { conflicts: byKind(conflicts), deadLetters: { poison, held }, parkedUnits: units.map(({ unit }) => unit), snapshot: snapshot ?? null };
}

interface KindCount { readonly kind: string; readonly count: bigint | number }

function byKind(rows: readonly KindCount[]): Record<string, number> {
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, Number(count)]));
}

/** Each migration with the checksum of its text, as far as it has run. */
export async function readMigrations(db: Sql): Promise<string[]> {
  const rows = await db.query<{ migration: string; step: number | bigint; checksum: string }>('SELECT migration, step, checksum FROM _migrations');
  return rows.map(({ migration, step, checksum }) => `${migration}/${step}/${checksum}`);
}
