/**
 * Writes changes into the target inside one open transaction: reads what stands there, lets resolve decide, writes the outcome.
 *
 * Invariants: changes of a row are decided in their order; each is decided against what the ones before it left. In
 * 'folded' mode only a row's last image is written, deletes before updates before inserts; in 'literal' mode every change
 * is written as it comes, which is what a unique key that changes hands within a transaction needs.
 * Deliberately absent: begin, commit and the checkpoint (target-transaction.ts), and what to do about errors (partition-apply.ts).
 */
import type { Version } from '../../shared/clock/hlc.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import type { Change, Image } from '../change/envelope.ts';
import { VERSION_COLUMNS, versionOf } from '../change/image.ts';
import { conflictRow } from '../resolve/conflict-row.ts';
import type { ConflictParts, ConflictRow } from '../resolve/conflict-row.ts';
import { decide, takesRemote } from '../resolve/decide.ts';
import type { Decision } from '../resolve/decide.ts';
import * as store from './row-store.ts';
import type { TableCatalog, TargetTable } from './table-catalog.ts';

export type WriteMode = 'folded' | 'literal';

export interface WriteReport {
  readonly applied: number;
  readonly duplicates: number;
  readonly stale: number;
  readonly conflicts: readonly ConflictRow[];
}

/** A unique key of another row stands in the way of this change. */
export class UniqueCollision extends Error {
  readonly change: Change;
  readonly table: TargetTable;
  readonly key: string;

  constructor(change: Change, table: TargetTable, key: string) {
    super(`${table.name} ${change.id} collides on ${key}`);
    this.change = change;
    this.table = table;
    this.key = key;
  }
}

interface RowState {
  readonly table: TargetTable;
  readonly id: string;
  /** Does the row stand in the database, as far as statements have been sent? */
  stands: boolean;
  version: Version | null;
  tombstone: Version | null;
  unit: number;
  /** Of what the changes so far have made of the row; null: deleted. undefined: untouched. */
  image: Image | null | undefined;
  isDirty: boolean;
  isTombstoneDirty: boolean;
}

/** A conflict whose local image may still have to be read: undefined means that the database has it. */
interface Met { readonly table: TargetTable; readonly parts: ConflictParts; readonly localImage: Image | null | undefined }

/** Throws UniqueCollision in 'literal' mode, db-duplicate in 'folded' mode, apply-schema-behind in both. */
export async function writeChanges(
  connection: RawConnection, catalog: TableCatalog, changes: readonly Change[], mode: WriteMode,
): Promise<WriteReport> {
  const report = { applied: 0, duplicates: 0, stale: 0, conflicts: [] as ConflictRow[] };
  const states = await loadStates(connection, catalog, changes);
  const met: Met[] = [];
  for (const change of changes) {
    const state = states.get(keyOf(change));
    if (state === undefined) continue;
    const decision = decide({ op: change.op, version: change.version, beforeVersion: beforeVersionOf(change) }, state.version, state.tombstone);
    if (decision.kind === 'duplicate') report.duplicates += 1;
    if (decision.kind === 'stale') report.stale += 1;
    if (decision.kind === 'conflict') met.push(meet(state, change, decision));
    // In literal mode the row is about to change under the conflict that wants to show it.
    if (mode === 'literal') report.conflicts.push(...(await describe(connection, met.splice(0))));
    if (!takesRemote(decision)) continue;
    report.applied += 1;
    take(state, change);
    if (mode === 'literal') await flushOne(connection, state, change);
  }
  report.conflicts.push(...(await describe(connection, met)));
  if (mode === 'folded') await flushFolded(connection, [...states.values()]);
  await store.noteConflicts(connection, report.conflicts);
  return report;
}

async function loadStates(connection: RawConnection, catalog: TableCatalog, changes: readonly Change[]): Promise<Map<string, RowState>> {
  const byTable = new Map<string, { table: TargetTable; ids: Set<string>; units: Map<string, number> }>();
  for (const change of changes) {
    // Asked for each change: two changes of one table may carry different columns.
    const table = await catalog.tableOf(connection, change);
    const entry = byTable.get(change.table) ?? { table, ids: new Set(), units: new Map() };
    entry.ids.add(change.id);
    entry.units.set(change.id, change.unit);
    byTable.set(change.table, { ...entry, table });
  }
  const states = new Map<string, RowState>();
  for (const name of [...byTable.keys()].toSorted()) {
    const { table, ids, units } = byTable.get(name) as NonNullable<ReturnType<typeof byTable.get>>;
    const versions = await store.lockVersions(connection, name, [...ids]);
    const tombstones = await store.lockTombstones(connection, name, [...ids].filter((id) => !versions.has(id)));
    for (const id of ids) {
      const version = versions.get(id) ?? null;
      states.set(`${name}:${id}`, {
        table, id, stands: version !== null, version, tombstone: tombstones.get(id) ?? null,
        unit: units.get(id) ?? 0, image: undefined, isDirty: false, isTombstoneDirty: false,
      });
    }
  }
  return states;
}

function take(state: RowState, change: Change): void {
  state.unit = change.unit;
  if (change.op === 'd') {
    state.version = null;
    state.tombstone = change.version;
    state.image = null;
    state.isTombstoneDirty = true;
  } else {
    state.version = change.version;
    state.image = change.after;
  }
  state.isDirty = true;
}

function meet(state: RowState, change: Change, decision: Extract<Decision, { kind: 'conflict' }>): Met {
  const parts: ConflictParts = {
    table: change.table, rowId: change.id, unit: change.unit, kind: decision.conflict,
    rule: decision.conflict === 'unique' ? 'unique' : 'lww',
    outcome: decision.conflict === 'unique' ? 'set-aside' : decision.winner === 'remote' ? 'took-remote' : 'kept-local',
    local: (state.version ?? state.tombstone) as Version,
    remote: change.version,
    localImage: null,
    remoteImage: change.after ?? change.before,
  };
  return { table: state.table, parts, localImage: state.image };
}

/** Nothing of the batch has been written to these rows yet: what the database shows is what the change met. */
async function describe(connection: RawConnection, met: readonly Met[]): Promise<ConflictRow[]> {
  const unread = met.filter(({ localImage }) => localImage === undefined);
  const images = new Map<string, Image>();
  for (const table of new Set(unread.map((each) => each.table))) {
    const ids = unread.filter((each) => each.table === table).map(({ parts }) => parts.rowId);
    for (const [id, image] of await store.readImages(connection, table, [...new Set(ids)])) images.set(`${table.name}:${id}`, image);
  }
  return met.map(({ parts, localImage }) =>
    conflictRow({ ...parts, localImage: localImage === undefined ? (images.get(`${parts.table}:${parts.rowId}`) ?? null) : localImage }));
}

async function flushOne(connection: RawConnection, state: RowState, change: Change): Promise<void> {
  try {
    if (state.image === null) {
      if (state.stands) await store.deleteRows(connection, state.table.name, [state.id]);
      await store.putTombstones(connection, [tombstoneOf(state)]);
    } else if (state.stands) await store.updateRow(connection, state.table, state.id, state.image as Image);
    else await store.insertRows(connection, state.table, [state.image as Image]);
    state.stands = state.image !== null;
  } catch (e) {
    const key = collidingKey(e);
    throw key === undefined ? e : new UniqueCollision(change, state.table, key);
  }
}

/** Deletes free unique values, updates may; so inserts come last. */
async function flushFolded(connection: RawConnection, states: readonly RowState[]): Promise<void> {
  const dirty = states.filter((state) => state.isDirty);
  const tables = [...new Set(dirty.map((state) => state.table))];
  for (const table of tables) {
    const gone = dirty.filter((state) => state.table === table && state.image === null && state.stands);
    if (gone.length > 0) await store.deleteRows(connection, table.name, gone.map((state) => state.id));
  }
  const tombstones = dirty.filter((state) => state.isTombstoneDirty).map(tombstoneOf);
  if (tombstones.length > 0) await store.putTombstones(connection, tombstones);
  for (const table of tables) {
    const standing = dirty.filter((state) => state.table === table && state.image);
    for (const state of standing) if (state.stands) await store.updateRow(connection, table, state.id, state.image as Image);
    const fresh = standing.filter((state) => !state.stands).map((state) => state.image as Image);
    if (fresh.length > 0) await store.insertRows(connection, table, fresh);
  }
}

function tombstoneOf(state: RowState): store.TombstoneRow {
  return { table: state.table.name, id: state.id, unit: state.unit, version: state.tombstone as Version };
}

/** The name of the secondary key that a write collided on; undefined for other errors and for the primary key. */
export function collidingKey(e: unknown): string | undefined {
  if (!isTandemError(e, 'db-duplicate')) return undefined;
  const key = e.details['key'];
  return typeof key === 'string' && key !== 'PRIMARY' ? key : undefined;
}

function beforeVersionOf({ table, before }: Change): Version | null {
  return before === null || before[VERSION_COLUMNS.hlc] === undefined ? null : versionOf(table, before);
}

function keyOf(change: Change): string {
  return `${change.table}:${change.id}`;
}
