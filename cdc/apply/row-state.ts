/**
 * What a batch makes of one row: from what stands in the database, change by change, to what is to be written.
 *
 * Invariants: changes of a row are decided in their order, each against what those before it left. `changed` names every
 * column in which the row may differ from what stands; null where that is not known.
 * Deliberately absent: SQL. What stands is read, or assumed, by others.
 */
import { compareVersions } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import { MERGE_COLUMN } from '../../shared/schema/conflict-rules.ts';
import type { Change, Image, Value } from '../change/envelope.ts';
import { baseVersionOf } from '../change/image.ts';
import { resolve } from '../resolve/resolve.ts';
import type { LocalRow, Resolution } from '../resolve/resolve.ts';
import type { TableRules } from '../resolve/table-rules.ts';
import type { RowWrite, TombstoneRow } from './statements.ts';
import { layoutOf } from './table-catalog.ts';
import type { TargetTable } from './table-catalog.ts';

export interface RowState {
  readonly table: TargetTable;
  readonly rules: TableRules;
  readonly id: string;
  /** Does the row stand in the database, as far as statements have been sent? */
  stands: boolean;
  version: Version | null;
  tombstone: Version | null;
  merge: string | null;
  unit: number;
  /** As read from the database, where it was. */
  seen: Image | null | undefined;
  /** Of what the changes so far have made of the row; null: deleted. undefined: untouched. */
  image: Image | null | undefined;
  /** source.schema of the change that the image is from. */
  schema: string | undefined;
  changed: Set<string> | null;
  isDirty: boolean;
  isTombstoneDirty: boolean;
}

export interface Standing { readonly version: Version | null; readonly tombstone: Version | null; readonly merge: string | null }

export function rowState(table: TargetTable, rules: TableRules, change: Change, { version, tombstone, merge }: Standing): RowState {
  return {
    table, rules, id: change.id, stands: version !== null, version, tombstone, merge, unit: change.unit,
    seen: undefined, image: undefined, schema: undefined, changed: new Set(), isDirty: false, isTombstoneDirty: false,
  };
}

export function localOf(state: RowState): LocalRow {
  const { version, tombstone, merge } = state;
  return { version, tombstone, merge, image: state.image === undefined ? state.seen : state.image };
}

/** Decides, and takes over what was decided. Throws what resolve throws. */
export function decideIn(state: RowState, change: Change): Resolution {
  const resolution = resolve(state.rules, change, localOf(state));
  if (resolution.kind === 'apply') take(state, change, resolution);
  else if (resolution.kind === 'conflict' && resolution.image !== undefined) take(state, change, { image: resolution.image, version: resolution.version });
  return resolution;
}

/** How the row is to stand, where it is dirty and not deleted; `expected` where what stands was only assumed. */
export function writeOf(state: RowState, expected: Version | null = null): RowWrite {
  const image = state.image as Image;
  return { table: state.table, id: state.id, image, layout: layoutOf(state.table, image, state.schema), changed: state.changed, expected };
}

export function tombstoneOf(state: RowState): TombstoneRow {
  return { table: state.table.name, id: state.id, unit: state.unit, version: state.tombstone as Version };
}

function take(state: RowState, change: Change, { image, version }: { readonly image: Image | null; readonly version: Version }): void {
  state.unit = change.unit;
  state.isDirty = true;
  if (image === null) {
    state.version = null;
    state.tombstone = version;
    state.merge = null;
    state.image = null;
    state.isTombstoneDirty = true;
    return;
  }
  noteChanged(state, change, image);
  state.version = version;
  state.image = image;
  // What a merge made has the columns of what stands here, whatever the change's had.
  state.schema = image === change.after ? change.source.schema : undefined;
  const merge = image[MERGE_COLUMN];
  state.merge = typeof merge === 'string' ? merge : null;
}

/** Only where the writer changed exactly what stands here do its two images tell which columns that leaves alone. */
function noteChanged(state: RowState, change: Change, image: Image): void {
  const { before } = change;
  if (state.changed === null) return;
  const base = before === null || image !== change.after || state.version === null ? null : baseVersionOf(change);
  // A merged row may stand at one version and yet hold more, or less, than the writer saw: its merge state tells.
  const isOtherState = state.rules.merge !== null && (before?.[MERGE_COLUMN] ?? null) !== state.merge;
  if (before === null || base === null || isOtherState || compareVersions(base, state.version as Version) !== 0) {
    state.changed = null;
    return;
  }
  for (const column in image) if (differ(before[column], image[column])) state.changed.add(column);
}

function differ(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return Object.is(a, 0) !== Object.is(b, 0);
  return typeof a !== 'object' || typeof b !== 'object' || a?.$b64 !== b?.$b64;
}
