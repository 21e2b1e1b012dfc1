/**
 * What must be true of two regions that have seen everything of each other.
 *
 * Both hold the same rows, versions and `_merge`; no acknowledged write is gone unless a conflict's losing image has it; unique
 * keys hold; counters have every increment; extremes are reached; nothing ever went back; conflicts have one id on both sides.
 */
import type { Image } from '../../cdc/change/envelope.ts';
import type { ConflictRow } from '../../cdc/resolve/conflict-row.ts';
import { compareVersions } from '../../shared/clock/hlc.ts';
import { contestedGroups } from './ghost.ts';
import type { Ghost } from './ghost.ts';
import { birthOf, bornText } from './model-database.ts';
import type { StoredRow } from './model-database.ts';
import type { Region, Write } from './region.ts';
import { TABLES, tableOf } from './tables.ts';

/** All of them, in words; none is what is hoped for. */
export function checkOutcome([east, west]: readonly [Region, Region], writes: readonly Write[]): string[] {
  return [
    ...sameRows(east, west), ...[east, west].flatMap(({ database }) => database.stepsBack),
    ...[east, west].flatMap((region) => [...uniqueValues(region), ...nothingLost(region, [east, west], writes), ...countersAndExtremes(region, writes)]),
    ...sameConflicts(east, west), ...sameLosers(east, west),
  ];
}

function sameRows(east: Region, west: Region): string[] {
  return [...TABLES.keys()].flatMap((table) => {
    const [ours, theirs] = [east, west].map(({ database }) => [...database.rows(table).values()].map(({ image }) => textOf(image)).toSorted());
    return JSON.stringify(ours) === JSON.stringify(theirs) ? [] : [`${table} differs:\n    east ${ours?.join('\n         ')}\n    west ${theirs?.join('\n         ')}`];
  });
}

function textOf(image: Image): string {
  return JSON.stringify(Object.entries(image).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function uniqueValues({ name, database }: Region): string[] {
  return [...TABLES].flatMap(([table, { uniqueKeys }]) => uniqueKeys.flatMap((key) => {
    const values = [...database.rows(table).values()].map(({ image }) => image[key] ?? null).filter((value) => value !== null);
    return new Set(values).size === values.length ? [] : [`${name}: ${table}.${key} is not unique: ${values.join()}`];
  }));
}

function nothingLost(region: Region, regions: readonly Region[], writes: readonly Write[]): string[] {
  const lost = regions.flatMap(({ database }) => [...database.conflicts.values()].map(({ row, lost: ghosts }) => ({ row, ghosts })));
  return writes.flatMap((write) => {
    const { table, id, bit } = write;
    const named = lost.filter(({ row }) => row.table === table && row.rowId === id).flatMap(({ ghosts }) => ghosts);
    const row = region.database.row(table, id);
    const missing = missingOf(write, row, (ghost) => named.some((ghostOf) => (ghost(ghostOf) & bit) !== 0n), region.database.grave(table, id)?.all ?? 0n);
    return missing === null ? [] : [`${region.name}: ${write.kind} of ${table} ${id} by ${write.region} at ${write.version.hlc}/${write.version.origin} is gone without a conflict (${missing})`];
  });
}

/** What of a write is neither in the row nor on record; null where nothing is missing. */
function missingOf(write: Write, row: StoredRow | undefined, isNamed: (bits: (ghost: Ghost) => bigint) => boolean, buried: bigint): string | null {
  const { merge } = tableOf(write.table).rules;
  // A delete has what it wanted where the row is gone, or where what stands was born after it.
  if (write.kind === 'delete' && (row === undefined || (merge !== null && compareVersions(birthOf(row.image), write.version) > 0))) return null;
  // An UPDATE that changes nothing makes a version, and nothing that a merge could lose.
  if (merge !== null && write.kind === 'update' && write.groups.length === 0) return null;
  const all = row === undefined ? buried : row.ghost.all | row.ghost.buried;
  const isAlive = merge !== null && row !== undefined && write.after !== null && write.born === bornText(row.image);
  if ((all & write.bit) === 0n && !isNamed((ghost) => ghost.all | ghost.buried)) return row === undefined ? 'the row is gone' : 'the row stands without it';
  if (!isAlive || merge === null || write.kind === 'insert') return null;
  const groups = new Set(contestedGroups(merge));
  return write.groups.find((group) => groups.has(group) && ((row.ghost.groups.get(group) ?? 0n) & write.bit) === 0n && !isNamed((ghost) => ghost.groups.get(group) ?? 0n)) ?? null;
}

/** Of rows that stand: what was written to their birth, by anybody. */
function countersAndExtremes({ name, database }: Region, writes: readonly Write[]): string[] {
  return [...database.rows('rides')].flatMap(([id, { image }]) => {
    const its = writes.filter((write) => write.table === 'rides' && write.id === id && write.born === bornText(image) && write.after !== null);
    const seen = its.reduce((sum, { before, after }) => sum + Number(after?.['seen']) - Number(before?.['seen'] ?? 0), 0);
    const [seqs, prices] = ['seq', 'cheapest'].map((column) => its.map(({ after }) => after?.[column] ?? null).filter((value) => value !== null).map(Number)) as [number[], number[]];
    const wanted = { seen, seq: seqs.length === 0 ? null : Math.max(...seqs), cheapest: prices.length === 0 ? null : Math.min(...prices) };
    return Object.entries(wanted).flatMap(([column, value]) => (image[column] === value ? [] : [`${name}: rides ${id}: ${column} is ${String(image[column])}, and all writes together make ${value}`]));
  });
}

/** The same two versions and images: one conflict, one id. */
/** Both regions set aside the same one of two rows, if both met them. */
function sameLosers(east: Region, west: Region): string[] {
  return [...east.database.conflicts].flatMap(([id, { row }]) => {
    const other = west.database.conflicts.get(id)?.row;
    return other === undefined || other.rowId === row.rowId ? [] : [`of one collision in ${row.table}, east set aside ${row.rowId} and west ${other.rowId}`];
  });
}

function sameConflicts(east: Region, west: Region): string[] {
  const theirs = new Map(single(west).map((row) => [meeting(row), row.id]));
  return single(east).flatMap((row) => {
    const id = theirs.get(meeting(row));
    return id === undefined || id === row.id ? [] : [`conflict ${meeting(row)} has the ids ${row.id} and ${id}`];
  });
}

/** Of a unique collision the other row is part of the id, and not of its record. */
function single({ database }: Region): ConflictRow[] {
  return [...database.conflicts.values()].map(({ row }) => row).filter(({ kind }) => kind !== 'unique');
}

function meeting({ table, rowId, local, remote, localImage, remoteImage }: ConflictRow): string {
  const versions = [local, remote].toSorted(compareVersions).map(({ hlc, origin }) => `${hlc}/${origin}`);
  const images = [localImage, remoteImage].map((image) => (image === null ? '' : textOf(image))).toSorted();
  return [table, rowId, ...versions, ...images].join(' ');
}
