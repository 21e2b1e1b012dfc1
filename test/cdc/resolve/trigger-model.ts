/**
 * The triggers as a pure function: what a local write makes of a row, its version, `_merge` and tombstone.
 *
 * Model of shared/schema/triggers.ts and merge-trigger.ts for the property tests and the simulation; triggers.mysql.test.ts
 * drives both with the same writes and compares them.
 */
import { formatMerge, groupVersion, parseMerge, slotsOf } from '../../../cdc/resolve/merge-state.ts';
import type { MergeState, Slots } from '../../../cdc/resolve/merge-state.ts';
import { compareValues } from '../../../cdc/resolve/compare-values.ts';
import type { TableRules } from '../../../cdc/resolve/table-rules.ts';
import type { Image, Value } from '../../../cdc/change/envelope.ts';
import type { Hlc, Version } from '../../../shared/clock/hlc.ts';
import { MERGE_COLUMN, REST_GROUP, UNGROUPED_COLUMNS, columnsOf, rankOf } from '../../../shared/schema/conflict-rules.ts';
import type { Group, MergeRules } from '../../../shared/schema/conflict-rules.ts';

export interface Stamp { readonly clock: bigint; readonly origin: number }

/** What SIGNAL says, in short. */
export class Refused extends Error {}

export const versionIn = (image: Image): Version => ({ hlc: BigInt(image['_hlc'] as string) as Hlc, origin: Number(image['_origin']) });
export const mergeIn = (image: Image): string | null => (image[MERGE_COLUMN] ?? null) as string | null;

export function inserted(rules: TableRules, row: Image, { clock, origin }: Stamp, tombstone: Version | null): Image {
  return { ...row, ...(rules.merge === null ? {} : { [MERGE_COLUMN]: null }), _hlc: highest(clock, above(tombstone)).toString(), _origin: origin };
}

/** @param tombstone of the id that the row gets, where that changes. Throws Refused. */
export function updated(rules: TableRules, old: Image, set: Image, { clock, origin }: Stamp, tombstone: Version | null = null): Image {
  const isMoved = set['id'] !== undefined && set['id'] !== old['id'];
  const version = { hlc: highest(clock, versionIn(old).hlc + 1n, isMoved ? above(tombstone) : 0n), origin };
  const row = { ...old, ...set, _hlc: version.hlc.toString(), _origin: origin };
  if (rules.merge === null) return row;
  for (const group of rules.merge.groups) refuse(group, old, row);
  return { ...row, [MERGE_COLUMN]: isMoved ? null : formatMerge(written(rules.merge, old, row, version), version) };
}

export function tombstoneOf(old: Image, { clock, origin }: Stamp, tombstone: Version | null): Version {
  return { hlc: highest(clock, versionIn(old).hlc + 1n, above(tombstone)), origin };
}

function refuse(group: Group, old: Image, row: Image): void {
  if (group.rule === 'state-machine' && rankOf(group, row[group.column]) < rankOf(group, old[group.column])) throw new Refused(`${group.column} goes back`);
  if (group.rule !== 'max' && group.rule !== 'min') return;
  const [before, after] = [old[group.column] ?? null, row[group.column] ?? null];
  if (before === null) return;
  if (after === null || (group.rule === 'max' ? compareValues(after, before) < 0 : compareValues(after, before) > 0)) throw new Refused(`${group.column} goes against ${group.rule}`);
}

function written(rules: MergeRules, old: Image, row: Image, version: Version): MergeState {
  const state = parseMerge(mergeIn(old), versionIn(old));
  const groups = new Map(state.groups);
  const counters = new Map<string, Slots>(state.counters);
  const rest = { name: REST_GROUP, columns: Object.keys(row).filter((column) => !rules.named.has(column) && !UNGROUPED_COLUMNS.has(column)) };
  for (const { name, columns } of [...rules.groups.filter(({ rule }) => rule !== 'counter').map((group) => ({ name: group.name, columns: columnsOf(group) })), rest]) {
    const isChanged = columns.some((column) => (row[column] ?? null) !== (old[column] ?? null));
    groups.set(name, isChanged ? version : groupVersion(state, name));
  }
  for (const group of rules.groups) {
    if (group.rule !== 'counter' || row[group.column] === old[group.column]) continue;
    const [before, after] = [big(old[group.column]), big(row[group.column])];
    const slots = new Map(slotsOf(state, group.column, before));
    slots.set(version.origin, { hlc: version.hlc, total: (slots.get(version.origin)?.total ?? 0n) + after - before });
    counters.set(group.column, slots);
  }
  return { born: state.born, groups, counters };
}

const big = (value: Value | undefined): bigint => BigInt(String(value ?? 0));
const above = (tombstone: Version | null): bigint => (tombstone === null ? 0n : tombstone.hlc + 1n);

function highest(...candidates: bigint[]): Hlc {
  return candidates.reduce((a, b) => (a > b ? a : b)) as Hlc;
}
