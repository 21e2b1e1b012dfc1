/**
 * What it would take to let the losing image of a conflict stand after all: a plan of one local write, or why there is none.
 *
 * Invariants: only what the loser meant differently from the winner is written, so that what both wrote alike, and what was written
 * since in other columns, stays. A row that has moved on since the conflict is not touched unless the operator says so:
 * today's row is somebody's newer wish. Versions are never written: the triggers give the write a new one, which travels like any
 * other. Pure.
 */
import { compareVersions } from '../../../shared/clock/hlc.ts';
import type { Version } from '../../../shared/clock/hlc.ts';
import type { Image, Value } from '../../change/envelope.ts';
import { setAsideVersion } from '../../resolve/collision.ts';
import { comparedColumns, sameValue } from './conflict.ts';
import type { Conflict } from './conflict.ts';

/** The row as it is in its unit's home now; image null: there is none, and version is its tombstone's, if any. */
export interface RowNow { readonly image: Image | null; readonly version: Version | null }

export interface ColumnChange { readonly column: string; readonly now: Value | undefined; readonly next: Value }

export type ReplayPlan =
  | { readonly kind: 'update' | 'insert'; readonly columns: readonly ColumnChange[] }
  | { readonly kind: 'delete' }
  /** The row is already what the loser wanted. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly why: string };

export interface ReplayInput {
  readonly conflict: Conflict;
  readonly now: RowNow;
  /** Columns that take a value: not the generated ones. */
  readonly writable: ReadonlySet<string>;
  /** Write over what was written since the conflict. */
  readonly overNewer: boolean;
}

/** Stamped by the triggers or by the table itself on every write. */
const STAMPED: ReadonlySet<string> = new Set(['_hlc', '_origin', '_merge', 'updated_at']);

export function decideReplay({ conflict, now, writable, overNewer }: ReplayInput): ReplayPlan {
  const { sides, winner, rowId } = conflict;
  if (winner === null) return { kind: 'refused', why: 'nobody lost: the row was merged from both images. Write the column you want by plain SQL; `conflicts show` has both values' };
  const loser = sides[winner === 0 ? 1 : 0];
  if (loser.image === undefined) return { kind: 'refused', why: 'the record has no losing image' };
  if (loser.image !== null && loser.image['id'] !== rowId) return { kind: 'refused', why: `the losing image is of row ${String(loser.image['id'])}, not of row ${rowId}` };
  const plan = loser.image === null ? removalOf(now) : writeOf(loser.image, { winner: sides[winner].image ?? null, now: now.image, writable });
  if (plan.kind === 'nothing' || overNewer || !hasMovedOn(conflict, loser.version, now.version)) return plan;
  return { kind: 'refused', why: `row ${rowId} has been written since the conflict: replaying would undo a newer write. --over-newer does it all the same` };
}

function removalOf(now: RowNow): ReplayPlan {
  return now.image === null ? { kind: 'nothing' } : { kind: 'delete' };
}

function writeOf(loser: Image, { winner, now, writable }: { winner: Image | null; now: Image | null; writable: ReadonlySet<string> }): ReplayPlan {
  const takes = (column: string): boolean => column in loser && writable.has(column) && !STAMPED.has(column);
  const change = (column: string): ColumnChange => ({ column, now: now?.[column], next: loser[column] ?? null });
  if (now === null) return { kind: 'insert', columns: Object.keys(loser).filter(takes).map(change) };
  // Of two rows that collided the other one's columns say nothing about this row's.
  const rival = winner?.['id'] === loser['id'] ? winner : null;
  const lost = rival === null ? Object.keys(loser) : comparedColumns(loser, rival).filter(({ differs }) => differs).map(({ column }) => column);
  const columns = lost.filter((column) => takes(column) && column !== 'id').map(change).filter(({ now: here, next }) => !sameValue(here, next));
  return columns.length === 0 ? { kind: 'nothing' } : { kind: 'update', columns };
}

function hasMovedOn({ sides, kind, rowId, winner }: Conflict, loser: Version, now: Version | null): boolean {
  if (now === null) return false;
  const own = sides.filter(({ image }, i) => image?.['id'] === rowId || (image === null && i === winner)).map(({ version }) => version);
  const known = [loser, ...own, ...(kind === 'unique' ? [setAsideVersion(loser)] : [])];
  return known.every((version) => compareVersions(now, version) > 0);
}
