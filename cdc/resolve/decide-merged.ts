/**
 * What becomes of a row of a merged table when a change of the peer arrives.
 *
 * Invariant: what stands is the highest birth that no tombstone has reached, with all that anybody wrote to that birth merged.
 * A tombstone kills every birth at or below it, so a delete wins over any update of the row that was deleted; a row inserted anew
 * was born above its tombstone. It is a conflict where a value goes that its writer's peer had not seen: a group that both wrote,
 * a row that one deleted, one of two births. Writes of different groups, counters, max and min lose nothing.
 */
import { compareVersions } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import { assert } from '../../shared/kernel/assert.ts';
import { MERGE_COLUMN } from '../../shared/schema/conflict-rules.ts';
import type { MergeRules } from '../../shared/schema/conflict-rules.ts';
import type { Change, Image } from '../change/envelope.ts';
import { baseVersionOf } from '../change/image.ts';
import { SET_ASIDE_ORIGIN } from './collision.ts';
import type { ConflictKind } from './decide.ts';
import { mergeRows } from './merge.ts';
import type { Choice, Merged } from './merge.ts';
import { bornOf, formatMerge, groupVersion, parseMerge } from './merge-state.ts';
import type { MergeState } from './merge-state.ts';
import type { LocalRow, Resolution } from './resolve.ts';

/** The rule in a conflict's record where a delete met an update. */
export const REMOVE_WINS = 'remove-wins';
/** Where two rows of one id met that were inserted apart. */
export const LATER_BIRTH = 'later-birth';

type Standing = LocalRow & { readonly version: Version };

/** Where births are equal and neither side knows all of the other, values decide, so they have to be seen. */
export function needsImageMerged(change: Change, local: LocalRow): boolean {
  if (change.op === 'd' || local.version === null || change.after === null) return false;
  return !isBasis(change, local as Standing) && !isThisState(change, local as Standing)
    && compareVersions(bornOf(mergeTextOf(change.after), change.version), bornOf(local.merge, local.version)) === 0;
}

export function resolveMerged(rules: MergeRules, change: Change, local: LocalRow): Resolution {
  if (local.version === null) return resolveAgainstNone(change, local.tombstone);
  const standing = local as Standing;
  return change.op === 'd' ? resolveDelete(change, standing) : resolveAgainstRow(rules, change, standing);
}

/** The writer changed exactly what stands here: nothing to merge. */
function isBasis(change: Change, local: Standing): boolean {
  const base = baseVersionOf(change);
  return change.before !== null && base !== null && compareVersions(base, local.version) === 0
    && isSameState(mergeTextOf(change.before), local.merge, base);
}

function isThisState(change: Change, local: Standing): boolean {
  return compareVersions(change.version, local.version) === 0 && isSameState(mergeTextOf(change.after), local.merge, change.version);
}

/** One state may be spelled in two ways where it comes from two database engines. */
function isSameState(a: string | null, b: string | null | undefined, version: Version): boolean {
  const other = b ?? null;
  return a === other || formatMerge(parseMerge(a, version), version) === formatMerge(parseMerge(other, version), version);
}

function resolveAgainstNone(change: Change, tombstone: Version | null): Resolution {
  const { op, version, after } = change;
  const image = op === 'd' ? null : after;
  if (tombstone === null) return { kind: 'apply', image, version };
  if (op === 'd') {
    const order = compareVersions(version, tombstone);
    return order === 0 ? { kind: 'duplicate' } : order < 0 ? { kind: 'stale' } : { kind: 'apply', image, version };
  }
  const born = bornOf(mergeTextOf(after), version);
  if (compareVersions(born, tombstone) > 0) return { kind: 'apply', image, version };
  // The writer's own region deleted it later; or a snapshot tells what is known to be gone.
  if (op === 'r' || tombstone.origin === version.origin) return { kind: 'stale' };
  // Set aside as it was born: that is on record. What was written to it later is not.
  if (tombstone.origin === SET_ASIDE_ORIGIN && compareVersions(version, tombstone) < 0) return { kind: 'stale' };
  return { kind: 'conflict', conflict: 'update-delete', rule: REMOVE_WINS, outcome: 'kept-local', image: undefined, version: tombstone, local: tombstone, remote: version };
}

function resolveDelete(change: Change, local: Standing): Resolution {
  const { version } = change;
  const state = parseMerge(local.merge, local.version);
  // What it deleted was an earlier birth of this id.
  if (compareVersions(version, state.born) < 0) return { kind: 'stale' };
  const gone = { image: null, version, remote: version } as const;
  if (version.origin === SET_ASIDE_ORIGIN) return { kind: 'conflict', conflict: 'unique', rule: 'unique', outcome: 'set-aside', local: local.version, ...gone };
  if (isBasis(change, local)) return { kind: 'apply', image: null, version };
  const unseen = newest(unseenWrites(state, change, baseStateOf(change)));
  if (unseen === null) return { kind: 'apply', image: null, version };
  return { kind: 'conflict', conflict: 'delete-update', rule: REMOVE_WINS, outcome: 'took-remote', local: unseen, ...gone };
}

function resolveAgainstRow(rules: MergeRules, change: Change, local: Standing): Resolution {
  const { version } = change;
  const after = change.after as Image;
  if (isThisState(change, local)) return { kind: 'duplicate' };
  if (isBasis(change, local)) return { kind: 'apply', image: after, version };
  const [ours, theirs] = [parseMerge(local.merge, local.version), parseMerge(mergeTextOf(after), version)];
  const order = compareVersions(theirs.born, ours.born);
  if (order !== 0) return resolveBirths(change, local, { ours, theirs, order });
  assert(local.image !== null && local.image !== undefined, `the row ${change.table} ${change.id} must be seen to be merged`);
  const merged = mergeRows(rules, { image: local.image, version: local.version, state: ours }, { image: after, version, state: theirs });
  return resolutionOf(merged, change, local.version);
}

/** Two inserts of one id that did not see each other: the later one stands, whole. */
function resolveBirths(
  change: Change, local: Standing, { ours, theirs, order }: { ours: MergeState; theirs: MergeState; order: -1 | 1 },
): Resolution {
  const kind: ConflictKind = change.op === 'u' ? 'update-update' : 'insert-insert';
  const conflict = { kind: 'conflict', conflict: kind, rule: LATER_BIRTH, remote: change.version } as const;
  if (order > 0) {
    const lost = newest(unseenWrites(ours, change, null));
    if (lost === null) return { kind: 'apply', image: change.after, version: change.version };
    return { ...conflict, outcome: 'took-remote', image: change.after, version: change.version, local: lost };
  }
  // One writer's own births are in order: an older one was redelivered.
  if (change.op === 'r' || ours.born.origin === theirs.born.origin && ours.born.origin === change.version.origin) return { kind: 'stale' };
  return { ...conflict, outcome: 'kept-local', image: undefined, version: local.version, local: local.version };
}

function resolutionOf(merged: Merged, change: Change, localVersion: Version): Resolution {
  const isLocal = merged.choices.every(({ taken }) => taken === 'same' || taken === 'local') && compareVersions(merged.version, localVersion) === 0;
  const isRemote = merged.choices.every(({ taken }) => taken === 'same' || taken === 'remote') && compareVersions(merged.version, change.version) === 0;
  const { version } = merged;
  const image = isLocal ? undefined : isRemote ? change.after : merged.image;
  const lost = contested(merged, change, baseStateOf(change));
  if (lost !== null) {
    const outcome = isLocal ? 'kept-local' : isRemote ? 'took-remote' : 'merged';
    return { kind: 'conflict', conflict: 'update-update', rule: lost.rule, outcome, image, version, local: lost.local, remote: lost.remote };
  }
  return image === undefined ? { kind: compareVersions(change.version, localVersion) === 0 ? 'duplicate' : 'stale' } : { kind: 'apply', image, version };
}

/**
 * The group that was written on both sides without having seen each other, and of which one side's values go; the newest such.
 * What the row was born with is nobody's loss: whoever wrote to it since has seen that.
 */
function contested({ choices, state: { born } }: Merged, change: Change, base: MergeState | null): Choice | null {
  const lost = choices.filter(({ rule, group, taken, local, remote }) => {
    if ((rule !== 'lww' && rule !== 'state-machine') || local.origin === remote.origin) return false;
    if (taken === 'local') return change.op !== 'r' && isSame(remote, change.version) && !isSame(remote, born);
    return taken === 'remote' && !isSame(local, born) && !(base !== null && isSame(groupVersion(base, group), local));
  });
  return lost.toSorted((a, b) => compareVersions(b.local, a.local))[0] ?? null;
}

/** What stands in the row and was written neither by the change's writer nor before its eyes. */
function unseenWrites(state: MergeState, change: Change, base: MergeState | null): Version[] {
  const seen = base !== null && compareVersions(base.born, state.born) === 0 ? base : null;
  const writes: [Version, Version | undefined][] = [[state.born, seen?.born]];
  for (const [group, version] of state.groups) writes.push([version, seen === null ? undefined : groupVersion(seen, group)]);
  for (const [column, slots] of state.counters) {
    for (const [origin, { hlc }] of slots) {
      const known = seen?.counters.get(column)?.get(origin);
      writes.push([{ hlc, origin }, known === undefined ? seen?.born : { hlc: known.hlc, origin }]);
    }
  }
  return writes.filter(([version, known]) => version.origin !== change.version.origin && (known === undefined || compareVersions(version, known) > 0)).map(([version]) => version);
}

function isSame(a: Version, b: Version): boolean {
  return compareVersions(a, b) === 0;
}

function newest(versions: readonly Version[]): Version | null {
  return versions.toSorted(compareVersions).at(-1) ?? null;
}

function baseStateOf(change: Change): MergeState | null {
  const base = baseVersionOf(change);
  return change.before === null || base === null ? null : parseMerge(mergeTextOf(change.before), base);
}

function mergeTextOf(image: Image | null): string | null {
  const text = image?.[MERGE_COLUMN] ?? null;
  return typeof text === 'string' ? text : null;
}
