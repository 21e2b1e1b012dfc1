/**
 * The statements that apply runs on data rows, as finished text (shared/mysql/sql-text.ts).
 *
 * Invariants: data rows are inserted, updated and deleted by primary key only; never ON DUPLICATE KEY UPDATE or REPLACE on
 * them, which could hit another row through a secondary key. Many rows are updated by one UPDATE that joins the new values
 * by primary key. What is read is locked, rows before tombstones: a delete that holds a row's lock leaves its tombstone
 * before it lets go.
 * Deliberately absent: decisions, and sending.
 */
import { formatHlc, parseHlc } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import { literal, quotedName } from '../../shared/mysql/sql-text.ts';
import { CONFLICT_TABLE, TOMBSTONE_TABLE } from '../../shared/schema/tables.ts';
import type { Image } from '../change/envelope.ts';
import type { ConflictRow } from '../resolve/conflict-row.ts';
import { columnLiteral, idList, idLiteral, valueLiteral } from './sql-values.ts';
import type { Layout, TargetTable } from './table-catalog.ts';

/** Rows and bytes in one statement; the server's parser takes more, to no gain. */
export const STATEMENT_ROWS_MAX = 200;
const STATEMENT_BYTES_MAX = 512 * 1024;
/** A row that is larger is updated by a statement of its own: joined rows pass through a temporary table. */
const JOINED_ROW_BYTES_MAX = 16 * 1024;
/** They carry two images each. */
const CONFLICTS_MAX = 50;

export interface TombstoneRow { readonly table: string; readonly id: string; readonly unit: number; readonly version: Version }

/** A row as it is to stand. */
export interface RowWrite {
  readonly table: TargetTable;
  readonly id: string;
  readonly image: Image;
  readonly layout: Layout;
  /** Columns that differ from what stands; null: any may. */
  readonly changed: ReadonlySet<string> | null;
  /** The version that must stand for the update to meet the row; null: whichever does, as the row is locked. */
  readonly expected: Version | null;
}

export interface UpdateStatement { readonly sql: string; readonly rows: number }

export function lockRows(table: string, ids: readonly string[], merged: boolean): string[] {
  const columns = `id, _hlc AS hlc, _origin AS origin${merged ? ', _merge AS merge' : ''}`;
  return chunks(ids.toSorted(byNumber), STATEMENT_ROWS_MAX).map((some) => `SELECT ${columns} FROM ${quotedName(table)} WHERE id IN (${idList(some)}) ORDER BY id FOR UPDATE`);
}

export function lockTombstones(table: string, ids: readonly string[]): string[] {
  return chunks(ids.toSorted(byNumber), STATEMENT_ROWS_MAX).map((some) =>
    `SELECT row_id AS id, _hlc AS hlc, _origin AS origin FROM ${TOMBSTONE_TABLE} WHERE table_name = ${literal(table)} AND row_id IN (${idList(some)}) ORDER BY row_id FOR UPDATE`);
}

/** Whole rows, version columns included. */
export function readImages(table: TargetTable, ids: readonly string[]): string[] {
  const columns = [...table.columns, ...table.generated].map((column) => (table.floats.has(column) ? `CAST(${quotedName(column)} AS DOUBLE) AS ${quotedName(column)}` : quotedName(column)));
  return chunks(ids, STATEMENT_ROWS_MAX).map((some) => `SELECT ${columns.join(',')} FROM ${quotedName(table.name)} WHERE id IN (${idList(some)})`);
}

/** The row that holds these values of a unique key, locked. */
export function lockHolder(table: TargetTable, columns: readonly string[], image: Image, merged: boolean): string {
  const holds = columns.map((column) => `${quotedName(column)} = ${keyLiteral(image, column)}`).join(' AND ');
  return `SELECT id, _hlc AS hlc, _origin AS origin${merged ? ', _merge AS merge' : ''} FROM ${quotedName(table.name)} WHERE ${holds} FOR UPDATE`;
}

export function insertRows(writes: readonly RowWrite[]): string[] {
  const statements: string[] = [];
  for (const [layout, same] of Map.groupBy(writes, ({ layout: each }) => each)) {
    const { table } = same[0] as RowWrite;
    const head = `INSERT INTO ${quotedName(table.name)} (${layout.list}) VALUES `;
    const tuples = same.map(({ image }) => `(${literalsOf(table, image, layout.columns)})`);
    for (const some of chunksOfBytes(tuples, (tuple) => tuple.length)) statements.push(head + some.join(','));
  }
  return statements;
}

/** Each meets as many rows as it says; fewer where a version was expected and another one stands. */
export function updateRows(writes: readonly RowWrite[]): UpdateStatement[] {
  const statements: UpdateStatement[] = [];
  for (const [layout, same] of Map.groupBy(writes, ({ layout: each }) => each)) {
    for (const some of chunks(same, STATEMENT_ROWS_MAX)) statements.push(...updateJoined(layout, some));
  }
  return statements;
}

export function updateRow({ table, id, image, layout, changed, expected }: RowWrite): UpdateStatement {
  const columns = settable(table, layout, changed);
  const sets = columns.map((column) => `${quotedName(column)}=${columnLiteral(table, image, column)}`).join(',');
  const only = expected === null ? '' : ` AND _hlc = ${formatHlc(expected.hlc)} AND _origin = ${expected.origin}`;
  return { sql: `UPDATE ${quotedName(table.name)} SET ${sets} WHERE id = ${idLiteral(id)}${only}`, rows: 1 };
}

export function deleteRows(table: string, ids: readonly string[]): string[] {
  return chunks(ids, STATEMENT_ROWS_MAX).map((some) => `DELETE FROM ${quotedName(table)} WHERE id IN (${idList(some)})`);
}

/**
 * Only ever raises a tombstone: where no row stands there is nothing to lock, and a local insert and delete may have come in
 * between. Columns are set from left to right, so each is compared with what the ones to its right still are.
 */
export function putTombstones(tombstones: readonly TombstoneRow[]): string[] {
  const isNewer = '(VALUES(_hlc) > _hlc OR (VALUES(_hlc) = _hlc AND VALUES(_origin) > _origin))';
  return chunks(tombstones, STATEMENT_ROWS_MAX).map((some) =>
    `INSERT INTO ${TOMBSTONE_TABLE} (table_name, row_id, unit, _hlc, _origin, deleted_at) VALUES ${some
      .map(({ table, id, unit, version }) => `(${literal(table)},${idLiteral(id)},${unit},${formatHlc(version.hlc)},${version.origin},NOW(3))`)
      .join(',')} ON DUPLICATE KEY UPDATE unit = IF(${isNewer}, VALUES(unit), unit), deleted_at = IF(${isNewer}, VALUES(deleted_at), deleted_at),
      _origin = IF(${isNewer}, VALUES(_origin), _origin), _hlc = GREATEST(_hlc, VALUES(_hlc))`);
}

/** A conflict that is on record already stays as it was. */
export function noteConflicts(conflicts: readonly ConflictRow[]): string[] {
  return chunks(conflicts, CONFLICTS_MAX).map((some) =>
    `INSERT IGNORE INTO ${CONFLICT_TABLE} (id, table_name, row_id, unit, kind, rule, outcome,
       local_hlc, local_origin, remote_hlc, remote_origin, local_image, remote_image) VALUES ${some
      .map((c) => `(${[
        literal(c.id), literal(c.table), idLiteral(c.rowId), c.unit, literal(c.kind), literal(c.rule), literal(c.outcome),
        formatHlc(c.local.hlc), c.local.origin, formatHlc(c.remote.hlc), c.remote.origin, jsonLiteral(c.localImage), jsonLiteral(c.remoteImage),
      ].join(',')})`)
      .join(',')}`);
}

/** Of a row that lockRows, lockTombstones or lockHolder gave. */
export function versionOfRow(row: Record<string, unknown>): Version {
  return { hlc: parseHlc(String(row['hlc'])), origin: Number(row['origin']) };
}

function updateJoined(layout: Layout, writes: readonly RowWrite[]): UpdateStatement[] {
  const { table } = writes[0] as RowWrite;
  const changed = writes.every((write) => write.changed !== null) ? new Set(writes.flatMap((write) => [...(write.changed ?? [])])) : null;
  const columns = settable(table, layout, changed);
  const isChecked = writes.every(({ expected }) => expected !== null);
  const statements: UpdateStatement[] = [];
  const joined: string[][] = [];
  for (const write of writes) {
    const values = columns.map((column) => columnLiteral(table, write.image, column));
    const { expected } = write;
    if (bytesOf(values) > JOINED_ROW_BYTES_MAX || (!isChecked && expected !== null)) statements.push(updateRow(write));
    else joined.push([idLiteral(write.id), ...(isChecked && expected !== null ? [formatHlc(expected.hlc), String(expected.origin)] : []), ...values]);
  }
  const names = ['id', ...(isChecked ? ['_was_hlc', '_was_origin'] : []), ...columns].map(quotedName);
  const sets = columns.map((column) => `t.${quotedName(column)}=v.${quotedName(column)}`).join(',');
  const on = `t.id = v.id${isChecked ? ' AND t._hlc = v._was_hlc AND t._origin = v._was_origin' : ''}`;
  for (const some of chunksOfBytes(joined, bytesOf)) {
    const [first = [], ...rest] = some;
    // The first SELECT names the columns. FORCE INDEX: a small table would be scanned, and everybody's locks met on the way.
    const values = [first.map((value, i) => `${value} AS ${names[i]}`), ...rest].map((row) => row.join(',')).join(' UNION ALL SELECT ');
    statements.push({ sql: `UPDATE (SELECT ${values}) v STRAIGHT_JOIN ${quotedName(table.name)} t FORCE INDEX (PRIMARY) ON ${on} SET ${sets}`, rows: some.length });
  }
  return statements;
}

function bytesOf(values: readonly string[]): number {
  let bytes = 0;
  for (const value of values) bytes += value.length + 1;
  return bytes;
}

function settable({ selfUpdating }: TargetTable, layout: Layout, changed: ReadonlySet<string> | null): string[] {
  return layout.columns.filter((column) => column !== 'id' && (changed === null || changed.has(column) || selfUpdating.has(column)));
}

function literalsOf(table: TargetTable, image: Image, columns: readonly string[]): string {
  let text = '';
  for (const column of columns) text += text === '' ? columnLiteral(table, image, column) : `,${columnLiteral(table, image, column)}`;
  return text;
}

/** BIGINT texts as numbers here too: a key is compared, not stored. */
function keyLiteral(image: Image, column: string): string {
  const value = image[column] ?? null;
  return typeof value === 'string' && /^-?[0-9]{16,20}$/.test(value) ? value : valueLiteral(value);
}

function jsonLiteral(image: Image | null): string {
  return image === null ? 'NULL' : literal(JSON.stringify(image));
}

/** Side by side transactions that take locks in one order wait for each other instead of dying. */
function byNumber(a: string, b: string): number {
  return a.length === b.length ? (a < b ? -1 : 1) : a.length - b.length;
}

function chunksOfBytes<T>(items: readonly T[], sizeOf: (item: T) => number): T[][] {
  const all: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const open = all.at(-1);
    const size = sizeOf(item);
    if (open === undefined || open.length >= STATEMENT_ROWS_MAX || bytes + size > STATEMENT_BYTES_MAX) {
      all.push([item]);
      bytes = size;
    } else {
      open.push(item);
      bytes += size;
    }
  }
  return all;
}

export function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}
