/**
 * The statements that apply runs on the target's tables, over one connection whose session is exempt from the triggers.
 *
 * Invariant: data rows are inserted, updated and deleted by primary key only; never ON DUPLICATE KEY UPDATE or REPLACE on
 * them, which could hit another row through a secondary key. What it reads it locks, rows before tombstones: a delete that
 * holds a row's lock leaves its tombstone before it lets go.
 * Deliberately absent: decisions.
 */
import { formatHlc, parseHlc } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { CONFLICT_TABLE, TOMBSTONE_TABLE } from '../../shared/schema/tables.ts';
import type { Image } from '../change/envelope.ts';
import type { ConflictRow } from '../resolve/conflict-row.ts';
import { imageOfRow, parameterOf, quoted, quotedList } from './sql-values.ts';
import type { TargetTable } from './table-catalog.ts';

/** Rows in one statement; a statement stays far below max_allowed_packet as long as rows are of ordinary size. */
export const STATEMENT_ROWS_MAX = 200;
/** They carry two images each. */
const CONFLICTS_MAX = 50;
/** A statement of large rows is cut earlier. */
export const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;

export interface TombstoneRow { readonly table: string; readonly id: string; readonly unit: number; readonly version: Version }

type Versions = Map<string, Version>;
interface VersionRow { readonly id: string; readonly hlc: string; readonly origin: number }

export async function lockVersions(connection: RawConnection, table: string, ids: readonly string[]): Promise<Versions> {
  const versions: Versions = new Map();
  for (const some of chunks(ids.toSorted(), STATEMENT_ROWS_MAX)) {
    const rows = await connection.query<VersionRow>(
      `SELECT id, _hlc AS hlc, _origin AS origin FROM ${quoted(table)} WHERE id IN (?) ORDER BY id FOR UPDATE`, [some.map(BigInt)],
    );
    for (const row of rows) versions.set(row.id, toVersion(row));
  }
  return versions;
}

export async function lockTombstones(connection: RawConnection, table: string, ids: readonly string[]): Promise<Versions> {
  const versions: Versions = new Map();
  for (const some of chunks(ids.toSorted(), STATEMENT_ROWS_MAX)) {
    const rows = await connection.query<VersionRow>(
      `SELECT row_id AS id, _hlc AS hlc, _origin AS origin FROM ${TOMBSTONE_TABLE}
       WHERE table_name = ? AND row_id IN (?) ORDER BY row_id FOR UPDATE`, [table, some.map(BigInt)],
    );
    for (const row of rows) versions.set(row.id, toVersion(row));
  }
  return versions;
}

/** Whole rows by id, version columns included; those that do not stand are missing. */
export async function readImages(connection: RawConnection, table: TargetTable, ids: readonly string[]): Promise<Map<string, Image>> {
  const images = new Map<string, Image>();
  const columns = quotedList([...table.columns, ...table.generated]);
  for (const some of chunks(ids, STATEMENT_ROWS_MAX)) {
    const rows = await connection.query(`SELECT ${columns} FROM ${quoted(table.name)} WHERE id IN (?)`, [some.map(BigInt)]);
    for (const row of rows) images.set(String(row['id']), imageOfRow(row));
  }
  return images;
}

/** The row that holds these values of a unique key, locked. */
export async function lockHolder(
  connection: RawConnection, table: TargetTable, columns: readonly string[], image: Image,
): Promise<{ readonly id: string; readonly version: Version } | null> {
  const [row] = await connection.query<VersionRow>(
    `SELECT id, _hlc AS hlc, _origin AS origin FROM ${quoted(table.name)}
     WHERE ${columns.map((column) => `${quoted(column)} = ?`).join(' AND ')} FOR UPDATE`,
    columns.map((column) => keyParameter(image, column)),
  );
  return row === undefined ? null : { id: row.id, version: toVersion(row) };
}

/** Images of one statement must have the same columns. */
export async function insertRows(connection: RawConnection, table: TargetTable, images: readonly Image[]): Promise<void> {
  for (const same of groupsOfSameColumns(table, images)) {
    const columns = writableColumns(table, same[0] ?? {});
    for (const some of chunksOfRows(same)) {
      await connection.execute(
        `INSERT INTO ${quoted(table.name)} (${quotedList(columns)}) VALUES ?`,
        [some.map((image) => columns.map((column) => parameterOf(image[column] ?? null)))],
      );
    }
  }
}

export async function updateRow(connection: RawConnection, table: TargetTable, id: string, image: Image): Promise<void> {
  const columns = writableColumns(table, image).filter((column) => column !== 'id');
  await connection.execute(
    `UPDATE ${quoted(table.name)} SET ${columns.map((column) => `${quoted(column)} = ?`).join(', ')} WHERE id = ?`,
    [...columns.map((column) => parameterOf(image[column] ?? null)), BigInt(id)],
  );
}

export async function deleteRows(connection: RawConnection, table: string, ids: readonly string[]): Promise<void> {
  for (const some of chunks(ids, STATEMENT_ROWS_MAX)) {
    await connection.execute(`DELETE FROM ${quoted(table)} WHERE id IN (?)`, [some.map(BigInt)]);
  }
}

/** The caller holds their locks and knows that each is the newest of its row. */
export async function putTombstones(connection: RawConnection, tombstones: readonly TombstoneRow[]): Promise<void> {
  for (const some of chunks(tombstones, STATEMENT_ROWS_MAX)) {
    await connection.execute(
      `INSERT INTO ${TOMBSTONE_TABLE} (table_name, row_id, unit, _hlc, _origin, deleted_at) VALUES
       ${some.map(() => '(?, ?, ?, ?, ?, NOW(3))').join(', ')}
       ON DUPLICATE KEY UPDATE unit = VALUES(unit), _hlc = VALUES(_hlc), _origin = VALUES(_origin), deleted_at = VALUES(deleted_at)`,
      some.flatMap(({ table, id, unit, version }) => [table, BigInt(id), unit, version.hlc, version.origin]),
    );
  }
}

/** A conflict that is on record already stays as it was. */
export async function noteConflicts(connection: RawConnection, conflicts: readonly ConflictRow[]): Promise<void> {
  for (const some of chunks(conflicts, CONFLICTS_MAX)) {
    await connection.execute(
      `INSERT IGNORE INTO ${CONFLICT_TABLE} (id, table_name, row_id, unit, kind, rule, outcome,
         local_hlc, local_origin, remote_hlc, remote_origin, local_image, remote_image) VALUES ?`,
      [some.map((c) => [
        c.id, c.table, BigInt(c.rowId), c.unit, c.kind, c.rule, c.outcome,
        formatHlc(c.local.hlc), c.local.origin, formatHlc(c.remote.hlc), c.remote.origin, jsonOrNull(c.localImage), jsonOrNull(c.remoteImage),
      ])],
    );
  }
}

function toVersion(row: VersionRow): Version {
  return { hlc: parseHlc(row.hlc), origin: row.origin };
}

function jsonOrNull(image: Image | null): string | null {
  return image === null ? null : JSON.stringify(image);
}

function writableColumns(table: TargetTable, image: Image): string[] {
  return Object.keys(image).filter((column) => table.columns.has(column));
}

/** BIGINT texts as numbers here too: a key is compared, not stored. */
function keyParameter(image: Image, column: string): null | string | number | bigint | Buffer {
  const value = parameterOf(image[column] ?? null);
  return typeof value === 'string' && /^-?[0-9]{16,20}$/.test(value) ? BigInt(value) : value;
}

function groupsOfSameColumns(table: TargetTable, images: readonly Image[]): Image[][] {
  const groups = new Map<string, Image[]>();
  for (const image of images) {
    const signature = writableColumns(table, image).join();
    const group = groups.get(signature);
    if (group === undefined) groups.set(signature, [image]);
    else group.push(image);
  }
  return [...groups.values()];
}

function chunksOfRows(images: readonly Image[]): Image[][] {
  const all: Image[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const image of images) {
    const size = Object.values(image).reduce<number>((sum, value) => sum + sizeOf(value), 0);
    const open = all.at(-1);
    if (open === undefined || open.length >= STATEMENT_ROWS_MAX || bytes + size > STATEMENT_BYTES_MAX) {
      all.push([image]);
      bytes = size;
    } else {
      open.push(image);
      bytes += size;
    }
  }
  return all;
}

function sizeOf(value: Image[string]): number {
  if (typeof value === 'string') return value.length;
  return typeof value === 'object' && value !== null ? value.$b64.length : 8;
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}
