/**
 * What a row really contains: the writes that went into it, known to the simulation alone.
 *
 * Each local write has a bit. A row's `all` has the bits of every write that its state was made from or knowingly replaced;
 * `groups` the same for each group of a merged row; `buried` those of what was deleted before the row was inserted anew above it, which is settled.
 * A bit that is in neither region's final row was lost.
 */
import { groupVersion, parseMerge } from '../../cdc/resolve/merge-state.ts';
import { compareVersions } from '../../shared/clock/hlc.ts';
import type { MergeRules } from '../../shared/schema/conflict-rules.ts';
import { REST_GROUP } from '../../shared/schema/conflict-rules.ts';
import type { Image } from '../../cdc/change/envelope.ts';
import { mergeIn, versionIn } from '../cdc/resolve/trigger-model.ts';

export interface Ghost { readonly all: bigint; readonly buried: bigint; readonly groups: ReadonlyMap<string, bigint> }

export const NOTHING: Ghost = { all: 0n, buried: 0n, groups: new Map() };

/** Groups whose values can be displaced; of counters, max and min every write has a part in the outcome. */
export function contestedGroups(rules: MergeRules): string[] {
  return [...rules.groups.filter(({ rule }) => rule === 'lww' || rule === 'state-machine').map(({ name }) => name), REST_GROUP];
}

/** After a local write: all that was there, and this write in the groups that it changed. */
export function writtenGhost(rules: MergeRules | null, before: Ghost, bit: bigint): Ghost {
  return { all: before.all | bit, buried: before.buried, groups: rules === null ? before.groups : new Map(contestedGroups(rules).map((group) => [group, (before.groups.get(group) ?? 0n) | bit])) };
}

/** Of `result`, made of both rows of one birth: a group has the bits of the side whose version it has. */
export function mergedGhost(rules: MergeRules, result: Image, sides: readonly { readonly image: Image; readonly ghost: Ghost }[]): Ghost {
  const state = parseMerge(mergeIn(result), versionIn(result));
  const groups = new Map(contestedGroups(rules).map((group) => {
    const same = sides.filter(({ image }) => compareVersions(groupVersion(parseMerge(mergeIn(image), versionIn(image)), group), groupVersion(state, group)) === 0);
    return [group, same.reduce((bits, { ghost }) => bits | (ghost.groups.get(group) ?? 0n), 0n)];
  }));
  const joined = (of: (ghost: Ghost) => bigint): bigint => sides.reduce((bits, { ghost }) => bits | of(ghost), 0n);
  return { all: joined((ghost) => ghost.all), buried: joined((ghost) => ghost.buried), groups };
}
