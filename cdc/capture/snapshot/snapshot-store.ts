/**
 * The rows of _snapshots: requests, progress, and the marks that come back through the binlog.
 *
 * Invariant: progress and end are written from the state they expect, so that a cancelled snapshot stays cancelled, whatever its
 * runner was about to write.
 */
import { assert } from '../../../shared/kernel/assert.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../../shared/mysql/database.ts';
import { SNAPSHOT_TABLE } from '../../../shared/schema/tables.ts';
import { ROWS_PER_SECOND, ROWS_PER_SECOND_MAX } from './snapshot.ts';
import type { Snapshot, SnapshotRequest, SnapshotState } from './snapshot.ts';

/** How many are listed, newest first. */
export const LISTED_MAX = 100;
const ACTOR_LENGTH_MAX = 64;
const REASON_LENGTH_MAX = 255;
const FAILURE_LENGTH_MAX = 1000;
const TIME = (column: string): string => `DATE_FORMAT(${column}, '%Y-%m-%dT%H:%i:%s.%fZ') AS ${column}`;
const COLUMNS = `CAST(id AS CHAR) AS id, state, tables, table_name, CAST(after_id AS CHAR) AS after_id, CAST(rows_done AS CHAR) AS rows_done, rows_per_second, requested_by, reason, failure, ${TIME('requested_at')}, ${TIME('updated_at')}`;

interface StoredRow {
  readonly id: string; readonly state: SnapshotState; readonly tables: string; readonly table_name: string | null; readonly after_id: string | null;
  readonly rows_done: string; readonly rows_per_second: number; readonly requested_by: string; readonly reason: string; readonly failure: string | null;
  readonly requested_at: string; readonly updated_at: string;
}

/** Throws capture-reset-refused naming what is wrong with the request. */
export async function insertSnapshot(sql: Sql, request: SnapshotRequest, replicated: readonly string[]): Promise<Snapshot> {
  const { tables, rowsPerSecond = ROWS_PER_SECOND, actor, reason } = request;
  const wanted = tables === undefined || tables.length === 0 ? replicated : replicated.filter((table) => tables.includes(table));
  const unknown = (tables ?? []).filter((table) => !replicated.includes(table));
  const problems = [
    ...(unknown.length > 0 ? [`not replicated: ${unknown.join(', ')}`] : []),
    ...(Number.isInteger(rowsPerSecond) && rowsPerSecond >= 1 && rowsPerSecond <= ROWS_PER_SECOND_MAX ? [] : [`rows per second must be 1 to ${ROWS_PER_SECOND_MAX}, not ${rowsPerSecond}`]),
  ];
  if (problems.length > 0) throw new TandemError('capture-reset-refused', `this snapshot cannot be taken: ${problems.join('; ')}`, { details: { problems } });
  await sql.execute(
    `INSERT INTO ${SNAPSHOT_TABLE} (state, tables, rows_per_second, requested_by, reason) VALUES ('requested', ?, ?, ?, ?)`,
    [JSON.stringify(wanted), rowsPerSecond, actor.slice(0, ACTOR_LENGTH_MAX), reason.slice(0, REASON_LENGTH_MAX)],
  );
  const [newest] = await listSnapshots(sql, "WHERE requested_by = ? AND state = 'requested'", [actor.slice(0, ACTOR_LENGTH_MAX)]);
  assert(newest !== undefined, 'a snapshot that was just requested is there');
  return newest;
}

/** Newest first, at most LISTED_MAX. */
export async function listSnapshots(sql: Sql, where = '', params: readonly unknown[] = []): Promise<Snapshot[]> {
  const rows = await sql.query<StoredRow>(`SELECT ${COLUMNS} FROM ${SNAPSHOT_TABLE} ${where} ORDER BY ${SNAPSHOT_TABLE}.id DESC LIMIT ${LISTED_MAX}`, params);
  return rows.map(snapshotOf);
}

/** The one to work at: what was begun goes on first, then requests in their order. */
export async function nextSnapshot(sql: Sql): Promise<Snapshot | undefined> {
  const rows = await sql.query<StoredRow>(
    `SELECT ${COLUMNS} FROM ${SNAPSHOT_TABLE} WHERE state IN ('running', 'requested') ORDER BY state = 'running' DESC, ${SNAPSHOT_TABLE}.id LIMIT 1`,
  );
  return rows.map(snapshotOf)[0];
}

/** False where it was cancelled meanwhile. The write itself is what comes back through the binlog. */
export async function writeMark(sql: Sql, id: string, mark: string): Promise<boolean> {
  return await changed(sql, `UPDATE ${SNAPSHOT_TABLE} SET mark = ?, state = 'running' WHERE id = ? AND state IN ('requested', 'running')`, [mark, BigInt(id)]);
}

export interface Progress { readonly table: string; readonly afterId: string; readonly rows: number }

/** Only once Kafka has the rows. False where it was cancelled meanwhile. */
export async function writeProgress(sql: Sql, id: string, { table, afterId, rows }: Progress): Promise<boolean> {
  return await changed(
    sql, `UPDATE ${SNAPSHOT_TABLE} SET table_name = ?, after_id = ?, rows_done = rows_done + ? WHERE id = ? AND state = 'running'`, [table, BigInt(afterId), rows, BigInt(id)],
  );
}

/** False where it had ended already. */
export async function endSnapshot(sql: Sql, id: string, state: 'done' | 'cancelled' | 'failed', failure: string | null = null): Promise<boolean> {
  return await changed(
    sql, `UPDATE ${SNAPSHOT_TABLE} SET state = ?, failure = ? WHERE id = ? AND state IN ('requested', 'running')`,
    [state, failure === null ? null : failure.slice(0, FAILURE_LENGTH_MAX), BigInt(id)],
  );
}

async function changed(sql: Sql, statement: string, params: readonly unknown[]): Promise<boolean> {
  return (await sql.execute(statement, params)).affectedRows > 0;
}

function snapshotOf(row: StoredRow): Snapshot {
  return {
    id: row.id, state: row.state, tables: JSON.parse(row.tables) as string[], table: row.table_name, afterId: row.after_id, rowsDone: Number(row.rows_done),
    rowsPerSecond: row.rows_per_second, requestedBy: row.requested_by, reason: row.reason, failure: row.failure, requestedAt: row.requested_at, updatedAt: row.updated_at,
  };
}
