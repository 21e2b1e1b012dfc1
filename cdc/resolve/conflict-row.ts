/**
 * The row that every conflict leaves in _conflicts: both versions, both images, the rule, the outcome.
 *
 * Invariant: the id follows from the rows, their versions and births alone, in no particular order, so a conflict met twice, or in
 * both regions, has one id. The births are part of it because a row of a merged table whose later birth won may stand at a
 * lower version than its earlier one had: a region whose clock stands still could then write one version twice, to two births.
 */
import { compareVersions, formatHlc } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import { hash63 } from '../../shared/kernel/hash.ts';
import { MERGE_COLUMN } from '../../shared/schema/conflict-rules.ts';
import type { Image } from '../change/envelope.ts';
import type { ConflictKind } from './decide.ts';
import { birthOf, formatVersion } from './merge-state.ts';

/** merged: both had a part in what stands now. set-aside: the row is gone, its image is here. */
export type ConflictOutcome = 'kept-local' | 'took-remote' | 'merged' | 'set-aside';

export interface ConflictRow {
  readonly id: bigint;
  readonly table: string;
  readonly rowId: string;
  readonly unit: number;
  readonly kind: ConflictKind;
  /** What decided: `unique`, or the rule of the group that was contested. */
  readonly rule: string;
  readonly outcome: ConflictOutcome;
  readonly local: Version;
  readonly remote: Version;
  readonly localImage: Image | null;
  readonly remoteImage: Image | null;
}

export type ConflictParts = Omit<ConflictRow, 'id'> & {
  /** The other row of a unique collision. */
  readonly otherRowId?: string;
};

export function conflictRow({ otherRowId, ...parts }: ConflictParts): ConflictRow {
  const [low, high] = [parts.local, parts.remote].toSorted(compareVersions).map((v) => `${formatHlc(v.hlc)}/${v.origin}`);
  const rows = [parts.rowId, otherRowId ?? parts.rowId].toSorted();
  return { ...parts, id: hash63('conflict', parts.table, ...rows, low ?? '', high ?? '', ...birthsOf(parts)) };
}

/** Of rows of merged tables only. What a delete had before it is left out: not everybody who meets the delete knows that. */
function birthsOf({ kind, localImage, remoteImage }: Omit<ConflictRow, 'id'>): string[] {
  const isDelete = { local: kind === 'update-delete', remote: kind === 'delete-update' };
  const images = [isDelete.local ? null : localImage, isDelete.remote ? null : remoteImage];
  return [...new Set(images.flatMap((image) => (image === null || !(MERGE_COLUMN in image) ? [] : [formatVersion(birthOf(image))])))].toSorted();
}
