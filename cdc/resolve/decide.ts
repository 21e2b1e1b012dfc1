/**
 * Who wins when a change of the peer meets what stands here: the last writer by (hlc, origin).
 *
 * Invariant: a change is taken exactly when its version is above all this row has had here, alive or deleted. Hence the
 * final state is the highest version of each row, whatever the order of arrival and however often a change arrives.
 * Deliberately absent: images, SQL, and unique keys across rows (collision.ts decides those, by the same order).
 */
import { compareVersions } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import type { Operation } from '../change/envelope.ts';
import { SET_ASIDE_ORIGIN } from './collision.ts';

/** Named change first, what stood here second; 'unique': the peer set aside a row that collided with another. */
export type ConflictKind = 'insert-insert' | 'update-update' | 'update-delete' | 'delete-update' | 'unique';

/**
 * apply: take it, nobody else had written since the writer read the row. duplicate: this very version is here already.
 * stale: an older version of the same writer, or of two writers who agree. conflict: two regions wrote without having
 * seen each other; the winner's row stands on both sides.
 */
export type Decision =
  | { readonly kind: 'apply' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'conflict'; readonly conflict: ConflictKind; readonly winner: 'local' | 'remote' };

/** What decide needs of a change: beforeVersion is that of the row the writer changed, null for an insert. */
export interface Candidate {
  readonly op: Operation;
  readonly version: Version;
  readonly beforeVersion: Version | null;
}

/** `target`: version of the row that stands here; `tombstone`: of its last delete. A standing row speaks louder. */
export function decide(change: Candidate, target: Version | null, tombstone: Version | null): Decision {
  if (target !== null) return decideAgainstRow(change, target);
  if (tombstone !== null) return decideAgainstTombstone(change, tombstone);
  return { kind: 'apply' };
}

/** True where the change's effect must be written. */
export function takesRemote(decision: Decision): boolean {
  return decision.kind === 'apply' || (decision.kind === 'conflict' && decision.winner === 'remote');
}

function decideAgainstRow(change: Candidate, target: Version): Decision {
  const order = compareVersions(change.version, target);
  if (order === 0) return { kind: 'duplicate' };
  // Also where the peer saw this very row: it goes by the rule, and this side has to have it on record as well.
  if (change.version.origin === SET_ASIDE_ORIGIN) return order > 0 ? { kind: 'conflict', conflict: 'unique', winner: 'remote' } : { kind: 'stale' };
  if (order > 0 && change.beforeVersion !== null && compareVersions(change.beforeVersion, target) === 0) return { kind: 'apply' };
  // One writer's own versions are in order: a newer one follows, an older one was redelivered.
  if (change.version.origin === target.origin) return { kind: order > 0 ? 'apply' : 'stale' };
  if (isOldNews(change, order)) return { kind: 'stale' };
  return { kind: 'conflict', conflict: kindAgainstRow(change), winner: order > 0 ? 'remote' : 'local' };
}

function decideAgainstTombstone(change: Candidate, tombstone: Version): Decision {
  const order = compareVersions(change.version, tombstone);
  if (order === 0) return { kind: 'duplicate' };
  if (isOldNews(change, order)) return { kind: 'stale' };
  // Both deleted it, or the row was inserted anew above its tombstone: no two wishes collide.
  if (change.op === 'd' || ((change.op === 'c' || change.op === 'r') && order > 0)) return { kind: order > 0 ? 'apply' : 'stale' };
  // Being set aside was the rule's doing and is on record already, so it is no wish either.
  if (change.version.origin === tombstone.origin || tombstone.origin === SET_ASIDE_ORIGIN) return { kind: order > 0 ? 'apply' : 'stale' };
  return { kind: 'conflict', conflict: 'update-delete', winner: order > 0 ? 'remote' : 'local' };
}

/** A snapshot tells what stands over there, not that anybody wrote: what has been overtaken here is nobody's loss. */
function isOldNews(change: Candidate, order: number): boolean {
  return change.op === 'r' && order < 0;
}

function kindAgainstRow(change: Candidate): ConflictKind {
  if (change.op === 'd') return 'delete-update';
  return change.op === 'c' || change.beforeVersion === null ? 'insert-insert' : 'update-update';
}
