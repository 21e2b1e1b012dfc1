/**
 * The tables and triggers that replication rests on: without them a row travels without a version, a delete without its
 * tombstone, and what apply wrote comes back as an echo.
 *
 * Invariant: everything that is missing is named at once. The names come from the database that this login is connected to, so
 * it may be called anything; only the table names are fixed (shared/schema/tables.ts).
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../shared/mysql/database.ts';
import { CHECKPOINT_TABLE, HEARTBEAT_TABLE, SNAPSHOT_TABLE, TOMBSTONE_TABLE } from '../../shared/schema/tables.ts';

const MARKER_TABLES = [CHECKPOINT_TABLE, TOMBSTONE_TABLE, HEARTBEAT_TABLE, SNAPSHOT_TABLE];
const EVENTS = ['insert', 'update', 'delete'] as const;
const VERSION_COLUMNS = ['_hlc', '_origin'] as const;

/** Throws capture-schema-missing; details.missing lists tables, columns and triggers. The login must hold SELECT and TRIGGER (privileges.ts), else they are not shown to it. */
export async function checkMarkerSchema(sql: Sql, replicated: readonly string[]): Promise<void> {
  const columns = await sql.query<{ t: string; c: string }>(
    'SELECT TABLE_NAME AS t, COLUMN_NAME AS c FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()',
  );
  const standing = new Set(columns.flatMap(({ t, c }) => [t, `${t}.${c}`]));
  const versioned = [...replicated, HEARTBEAT_TABLE];
  const missing = [
    ...[...new Set([...MARKER_TABLES, ...replicated])].filter((table) => !standing.has(table)).map((table) => `table ${table}`),
    ...versioned.filter((table) => standing.has(table)).flatMap((table) => VERSION_COLUMNS.map((column) => `${table}.${column}`)).filter((column) => !standing.has(column)).map((column) => `column ${column}`),
    ...(await missingTriggers(sql, versioned.filter((table) => standing.has(table)))),
  ];
  if (missing.length === 0) return;
  throw new TandemError('capture-schema-missing', `the database lacks what replication rests on: ${missing.join(', ')}`, { details: { missing } });
}

async function missingTriggers(sql: Sql, tables: readonly string[]): Promise<string[]> {
  const rows = await sql.query<{ t: string; e: string }>(
    "SELECT EVENT_OBJECT_TABLE AS t, LOWER(EVENT_MANIPULATION) AS e FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE 'tandem\\_%'",
  );
  const standing = new Set(rows.map(({ t, e }) => `${t}.${e}`));
  return tables.flatMap((table) => EVENTS.filter((event) => !standing.has(`${table}.${event}`)).map((event) => `trigger tandem_${table}_${event}_…`));
}
