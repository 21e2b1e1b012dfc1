/**
 * Merges two states of one row that began with the same insert, group by group.
 *
 * Invariant: commutative, associative, idempotent, and a local write always leads upwards: states form a join semilattice.
 * Within a group values and version travel together, so an equal version means equal values (the triggers see to it); where
 * it does not after all (rules that changed under a standing row), the greater text wins: any order that both sides share will do.
 * Deliberately absent: rows of different births (decide-merged.ts), and what counts as a conflict.
 */
import { compareVersions } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import { MERGE_COLUMN, REST_GROUP, UNGROUPED_COLUMNS, columnsOf, rankOf } from '../../shared/schema/conflict-rules.ts';
import type { CounterGroup, Group, MergeRules } from '../../shared/schema/conflict-rules.ts';
import type { Image, Value } from '../change/envelope.ts';
import { compareValues } from './compare-values.ts';
import { formatMerge, groupVersion, slotsOf } from './merge-state.ts';
import type { MergeState, Slots } from './merge-state.ts';

export interface RowState { readonly image: Image; readonly version: Version; readonly state: MergeState }

/** same: both sides had it. both: a counter to which each has added what the other lacks. */
export type Taken = 'same' | 'local' | 'remote' | 'both';

export interface Choice {
  readonly group: string;
  readonly rule: Group['rule'];
  readonly taken: Taken;
  readonly local: Version;
  readonly remote: Version;
}

export interface Merged extends RowState { readonly choices: readonly Choice[] }

/** Both must have the same birth. */
export function mergeRows(rules: MergeRules, local: RowState, remote: RowState): Merged {
  const image: Record<string, Value> = { ...remote.image, ...local.image };
  const groups = new Map<string, Version>();
  const counters = new Map<string, Slots>();
  const choices: Choice[] = [];
  const rest = { rule: 'lww', name: REST_GROUP, columns: restColumns(rules, image) } as const;
  for (const group of [...rules.groups, rest]) {
    const choice = group.rule === 'counter' ? countTogether(group, { local, remote, image, counters }) : choose(group, local, remote);
    choices.push(choice);
    if (group.rule === 'counter') continue;
    groups.set(group.name, choice.taken === 'remote' ? choice.remote : choice.local);
    if (choice.taken === 'remote') for (const column of columnsOf(group)) if (column in remote.image) image[column] = remote.image[column] as Value;
  }
  keepUnknown({ groups, counters }, [local.state, remote.state]);
  const version = stampOf(image, local, remote);
  const state = { born: local.state.born, groups, counters };
  image['_hlc'] = version.hlc.toString();
  image['_origin'] = version.origin;
  image[MERGE_COLUMN] = formatMerge(state, version);
  return { image, version, state, choices };
}

function choose(group: Exclude<Group, CounterGroup>, local: RowState, remote: RowState): Choice {
  const versions = { local: groupVersion(local.state, group.name), remote: groupVersion(remote.state, group.name) };
  const order = valueOrder(group, local.image, remote.image) || compareVersions(versions.local, versions.remote) || textOrder(columnsOf(group), local.image, remote.image);
  return { group: group.name, rule: group.rule, ...versions, taken: order === 0 ? 'same' : order > 0 ? 'local' : 'remote' };
}

/** Above 0 where the local values win whatever the versions say. */
function valueOrder(group: Exclude<Group, CounterGroup>, local: Image, remote: Image): number {
  if (group.rule === 'lww') return 0;
  const [ours, theirs] = [local[group.column] ?? null, remote[group.column] ?? null];
  if (group.rule === 'state-machine') return rankOf(group, ours) - rankOf(group, theirs);
  if (ours === null || theirs === null) return Number(ours !== null) - Number(theirs !== null);
  return group.rule === 'max' ? compareValues(ours, theirs) : compareValues(theirs, ours);
}

/** Only columns that both sides know: while one schema is ahead of the other, what one lacks decides nothing. */
function textOrder(columns: readonly string[], local: Image, remote: Image): number {
  const shared = columns.filter((column) => column in local && column in remote);
  const [ours, theirs] = [local, remote].map((image) => JSON.stringify(shared.map((column) => image[column]))) as [string, string];
  return ours === theirs ? 0 : ours > theirs ? 1 : -1;
}

interface Counting { readonly local: RowState; readonly remote: RowState; readonly image: Record<string, Value>; readonly counters: Map<string, Slots> }

function countTogether(group: CounterGroup, { local, remote, image, counters }: Counting): Choice {
  const { column, name } = group;
  const [ours, theirs] = [local, remote].map(({ state, image: row }) => slotsOf(state, column, BigInt(String(row[column] ?? 0)))) as [Slots, Slots];
  const slots = joinSlots(ours, theirs);
  counters.set(column, slots);
  const sum = [...slots.values()].reduce((total, slot) => total + slot.total, 0n);
  const value = sum < group.lowest ? group.lowest : sum > group.highest ? group.highest : sum;
  const isText = typeof (remote.image[column] ?? local.image[column]) === 'string';
  image[column] = isText ? value.toString() : Number(value);
  const [isOurs, isTheirs] = [isSame(slots, ours), isSame(slots, theirs)];
  const taken = isOurs && isTheirs ? 'same' : isOurs ? 'local' : isTheirs ? 'remote' : 'both';
  return { group: name, rule: 'counter', taken, local: local.version, remote: remote.version };
}

/** A region's own part grows under its own clock only: the later one has everything of the earlier one. */
export function joinSlots(a: Slots, b: Slots): Slots {
  const joined = new Map(a);
  for (const [origin, slot] of b) {
    const other = joined.get(origin);
    if (other === undefined || slot.hlc > other.hlc || (slot.hlc === other.hlc && slot.total > other.total)) joined.set(origin, slot);
  }
  return joined;
}

function isSame(a: Slots, b: Slots): boolean {
  return a.size === b.size && [...a].every(([origin, slot]) => b.get(origin)?.hlc === slot.hlc && b.get(origin)?.total === slot.total);
}

/** Groups that only the other side's rules have are carried along. */
function keepUnknown(known: { groups: Map<string, Version>; counters: Map<string, Slots> }, states: readonly MergeState[]): void {
  const [groups, counters] = [new Set(known.groups.keys()), new Set(known.counters.keys())];
  for (const state of states) {
    for (const [name, version] of state.groups) {
      const other = known.groups.get(name);
      if (!groups.has(name) && (other === undefined || compareVersions(version, other) > 0)) known.groups.set(name, version);
    }
    for (const [column, slots] of state.counters) if (!counters.has(column)) known.counters.set(column, joinSlots(known.counters.get(column) ?? new Map(), slots));
  }
}

function restColumns(rules: MergeRules, image: Image): readonly string[] {
  return Object.keys(image).filter((column) => !rules.named.has(column) && !UNGROUPED_COLUMNS.has(column));
}

/** The row's version is the higher one, and `updated_at` goes with it. */
function stampOf(image: Record<string, Value>, local: RowState, remote: RowState): Version {
  const order = compareVersions(local.version, remote.version) || textOrder(['updated_at'], local.image, remote.image);
  if (order >= 0) return local.version;
  if ('updated_at' in remote.image) image['updated_at'] = remote.image['updated_at'] as Value;
  return remote.version;
}
