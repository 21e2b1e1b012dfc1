/**
 * What becomes of a row here when a change of the peer arrives: the one entrance to the rules of this folder.
 *
 * Invariant: the outcome of a set of changes is the same whatever their order and however often each arrives, so two regions
 * that have seen the same changes hold the same rows. Whatever a winner displaces that its writer had not seen is a conflict.
 * Deliberately absent: SQL, and unique keys across rows (collision.ts).
 */
import type { Version } from '../../shared/clock/hlc.ts';
import type { Change, Image } from '../change/envelope.ts';
import { baseVersionOf } from '../change/image.ts';
import type { ConflictOutcome } from './conflict-row.ts';
import { decide } from './decide.ts';
import type { ConflictKind } from './decide.ts';
import { needsImageMerged, resolveMerged } from './decide-merged.ts';
import type { TableRules } from './table-rules.ts';

/** What stands here of the change's row. */
export interface LocalRow {
  /** Of the row; null where none stands. */
  readonly version: Version | null;
  /** Of its last delete. A row that stands speaks louder: it may be left null then. */
  readonly tombstone: Version | null;
  /** Text of `_merge`, of merged tables only. */
  readonly merge?: string | null | undefined;
  /** The full image; only where needsImage() said so. */
  readonly image?: Image | null | undefined;
}

/**
 * duplicate: this very write is here already. stale: older than what its own writer, or everyone, has made of the row since.
 * apply: write the image (null: delete, and leave a tombstone of that version). conflict: two regions wrote without having
 * seen each other; `image` undefined leaves what stands here. `version` is always that of what stands (or lies) here afterwards.
 * `local` and `remote` are the two versions that met: they name the conflict (conflict-row.ts) and are the same on both sides.
 */
export type Resolution =
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'apply'; readonly image: Image | null; readonly version: Version }
  | {
      readonly kind: 'conflict';
      readonly conflict: ConflictKind;
      readonly rule: string;
      readonly outcome: ConflictOutcome;
      readonly image: Image | null | undefined;
      readonly version: Version;
      readonly local: Version;
      readonly remote: Version;
    };

/** True where resolve has to see the row that stands here: two writes of one row of a merged table that did not see each other. */
export function needsImage(rules: TableRules, change: Change, local: LocalRow): boolean {
  return rules.merge !== null && needsImageMerged(change, local);
}

/** Throws change-malformed where an image lacks its version, or `_merge` holds what no trigger wrote. */
export function resolve(rules: TableRules, change: Change, local: LocalRow): Resolution {
  return rules.merge === null ? resolvePlain(change, local) : resolveMerged(rules.merge, change, local);
}

function resolvePlain(change: Change, local: LocalRow): Resolution {
  const decision = decide({ op: change.op, version: change.version, beforeVersion: baseVersionOf(change) }, local.version, local.tombstone);
  const image = change.op === 'd' ? null : change.after;
  const { version } = change;
  if (decision.kind === 'apply') return { kind: 'apply', image, version };
  if (decision.kind !== 'conflict') return decision;
  const here = (local.version ?? local.tombstone) as Version;
  const isSetAside = decision.conflict === 'unique';
  const conflict = { kind: 'conflict', conflict: decision.conflict, rule: isSetAside ? 'unique' : 'lww', local: here, remote: version } as const;
  if (decision.winner === 'local') return { ...conflict, outcome: 'kept-local', image: undefined, version: here };
  return { ...conflict, outcome: isSetAside ? 'set-aside' : 'took-remote', image, version };
}
