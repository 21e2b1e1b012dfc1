/**
 * A conflict as an operator sees it: one event, recorded in one region or in both, told by who wrote what and who won.
 *
 * Invariant: both regions record one conflict under one id (cdc/resolve/conflict-row.ts), each from its own side; here `sides`
 * are the same two writings whichever region's record they were read from. Pure.
 */
import { compareVersions, hlcMs } from '../../../shared/clock/hlc.ts';
import type { Version } from '../../../shared/clock/hlc.ts';
import type { Image, Value } from '../../change/envelope.ts';
import type { ConflictKind } from '../../resolve/decide.ts';

/** A row of _conflicts; images are left out of lists. */
export interface ConflictRecord {
  readonly id: string;
  /** The region whose record this is. */
  readonly region: string;
  readonly table: string;
  readonly rowId: string;
  readonly unit: number;
  readonly kind: string;
  readonly rule: string;
  readonly outcome: string;
  readonly local: Version;
  readonly remote: Version;
  readonly localImage?: Image | null;
  readonly remoteImage?: Image | null;
  /** ms since 1970. */
  readonly detectedMs: number;
}

/** What one writer wrote; image null: it deleted the row. */
export interface Side {
  /** The region that wrote it; `set-aside` for what a unique rule removed. */
  readonly writer: string;
  readonly version: Version;
  readonly writtenMs: number;
  readonly image?: Image | null;
}

export interface Conflict {
  readonly id: string;
  readonly table: string;
  readonly rowId: string;
  readonly unit: number;
  readonly kind: string;
  readonly rule: string;
  /** The lower origin first. */
  readonly sides: readonly [Side, Side];
  /** Index into sides; null where parts of both stand (merged). */
  readonly winner: 0 | 1 | null;
  /** `east won`, `set-aside`, `merged`. */
  readonly verdict: string;
  readonly records: readonly { readonly region: string; readonly outcome: string; readonly detectedMs: number }[];
  readonly detectedMs: number;
}

export const CONFLICT_KINDS = ['insert-insert', 'update-update', 'update-delete', 'delete-update', 'unique'] as const satisfies readonly ConflictKind[];
export const SET_ASIDE = 'set-aside';
const MERGED = 'merged';

/** Records of one conflict, of one region or of both. */
export function conflictOf(records: readonly [ConflictRecord, ...ConflictRecord[]], nameOf: (origin: number) => string): Conflict {
  const [first] = records;
  const side = (version: Version, image: Image | null | undefined): Side => ({
    writer: version.origin === 0 ? SET_ASIDE : nameOf(version.origin), version, writtenMs: hlcMs(version.hlc), ...(image === undefined ? {} : { image }),
  });
  const local = side(first.local, first.localImage);
  const remote = side(first.remote, first.remoteImage);
  const isSwapped = remote.version.origin < local.version.origin;
  const sides: readonly [Side, Side] = isSwapped ? [remote, local] : [local, remote];
  const winner = winnerOf(first, sides, isSwapped);
  return {
    id: first.id, table: first.table, rowId: first.rowId, unit: first.unit, kind: first.kind, rule: first.rule, sides, winner,
    verdict: first.outcome === SET_ASIDE || first.outcome === MERGED || winner === null ? first.outcome : `${sides[winner].writer} won`,
    records: records.map(({ region, outcome, detectedMs }) => ({ region, outcome, detectedMs })),
    detectedMs: Math.min(...records.map(({ detectedMs }) => detectedMs)),
  };
}

function winnerOf({ outcome, rowId }: ConflictRecord, [a, b]: readonly [Side, Side], isSwapped: boolean): 0 | 1 | null {
  if (outcome === MERGED) return null;
  if (outcome === SET_ASIDE) {
    // Of two rows that want one value, the conflict is named after the one that went.
    const [isA, isB] = [a.image?.['id'] === rowId, b.image?.['id'] === rowId];
    if (isA !== isB) return isA ? 1 : 0;
    return compareVersions(a.version, b.version) < 0 ? 1 : 0;
  }
  const keptLocal = outcome === 'kept-local';
  return keptLocal === isSwapped ? 1 : 0;
}

/** Of the bookkeeping of versions, which every write changes. */
const BOOKKEEPING: ReadonlySet<string> = new Set(['_hlc', '_origin', '_merge']);

/** Columns of either image, in their order; `differs` says in which the two are unlike. A missing image has no columns. */
export function comparedColumns(a: Image | null, b: Image | null): { readonly column: string; readonly differs: boolean }[] {
  const columns = [...new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])].filter((column) => !BOOKKEEPING.has(column));
  return columns.map((column) => ({ column, differs: !sameValue(a?.[column], b?.[column]) }));
}

export function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
