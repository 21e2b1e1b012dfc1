/**
 * What `_merge` tells of a row: when it was born, when each group was last written, and what each region added to a counter.
 *
 * Invariants: a row without `_merge` stands as it was inserted, at its own version. A group that is not named was last written
 * when the row was born; a counter that is not named still holds what the row was born with, from the region it was born in.
 * Equal states have one text (keys sorted, no spaces), so on MariaDB, where JSON is text, rows that are equal look equal.
 */
import { compareVersions, formatHlc, parseHlc } from '../../shared/clock/hlc.ts';
import type { Hlc, Version } from '../../shared/clock/hlc.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { MERGE_COLUMN } from '../../shared/schema/conflict-rules.ts';
import type { Image } from '../change/envelope.ts';
import { versionOf } from '../change/image.ts';

/** One region's part of a counter: all it has added so far, and when it last did. */
export interface Slot { readonly hlc: Hlc; readonly total: bigint }
/** By the origin number of the region. */
export type Slots = ReadonlyMap<number, Slot>;

export interface MergeState {
  readonly born: Version;
  readonly groups: ReadonlyMap<string, Version>;
  readonly counters: ReadonlyMap<string, Slots>;
}

/** @param version of the row that carries this `_merge`. Throws change-malformed. */
export function parseMerge(text: string | null | undefined, version: Version): MergeState {
  if (text === null || text === undefined) return { born: version, groups: new Map(), counters: new Map() };
  try {
    const { born, g, n } = JSON.parse(text) as { born: unknown; g?: Record<string, unknown>; n?: Record<string, Record<string, [string, string]>> };
    return {
      born: parseVersion(born),
      groups: new Map(Object.entries(g ?? {}).map(([name, value]) => [name, parseVersion(value)])),
      counters: new Map(Object.entries(n ?? {}).map(([column, slots]) => [column, new Map(Object.entries(slots).map(slotOf))])),
    };
  } catch (cause) {
    throw new TandemError('change-malformed', `_merge holds what nobody wrote: ${text.slice(0, 120)}`, { cause, details: { column: '_merge' } });
  }
}

/** The text of a row's state; null where the row, at `version`, stands as it was born. */
export function formatMerge({ born, groups, counters }: MergeState, version: Version): string | null {
  if (compareVersions(born, version) === 0) return null;
  const written = [...groups].filter(([, at]) => compareVersions(at, born) !== 0).toSorted(byName);
  const counted = [...counters].filter(([, slots]) => !isAtBirth(slots, born)).toSorted(byName);
  const parts = [`"born":"${formatVersion(born)}"`];
  if (written.length > 0) parts.push(`"g":{${written.map(([name, at]) => `${JSON.stringify(name)}:"${formatVersion(at)}"`).join()}}`);
  if (counted.length > 0) parts.push(`"n":{${counted.map(([column, slots]) => `${JSON.stringify(column)}:${formatSlots(slots)}`).join()}}`);
  return `{${parts.join()}}`;
}

/** When the incarnation of a row began: its insert. Cheaper than all of parseMerge where only this matters. */
export function bornOf(text: string | null | undefined, version: Version): Version {
  return text === null || text === undefined ? version : parseMerge(text, version).born;
}

/** Of a whole image of a merged table. Throws change-malformed. */
export function birthOf(image: Image): Version {
  const text = image[MERGE_COLUMN];
  return bornOf(typeof text === 'string' ? text : null, versionOf('a merged table', image));
}

export function groupVersion(state: MergeState, group: string): Version {
  return state.groups.get(group) ?? state.born;
}

/** @param value of the column in the row that carries the state. */
export function slotsOf(state: MergeState, column: string, value: bigint): Slots {
  return state.counters.get(column) ?? new Map([[state.born.origin, { hlc: state.born.hlc, total: value }]]);
}

export function formatVersion({ hlc, origin }: Version): string {
  return `${formatHlc(hlc)}/${origin}`;
}

function parseVersion(value: unknown): Version {
  const [hlc, origin] = String(value).split('/');
  if (typeof value !== 'string' || origin === undefined || !/^\d{1,3}$/.test(origin)) throw new RangeError(`${String(value)} is no version`);
  return { hlc: parseHlc(hlc ?? ''), origin: Number(origin) };
}

function slotOf([origin, [hlc, total]]: [string, [string, string]]): [number, Slot] {
  return [Number(origin), { hlc: parseHlc(hlc), total: BigInt(total) }];
}

function formatSlots(slots: Slots): string {
  const sorted = [...slots].toSorted(([a], [b]) => a - b);
  return `{${sorted.map(([origin, { hlc, total }]) => `"${origin}":["${formatHlc(hlc)}","${total}"]`).join()}}`;
}

function isAtBirth(slots: Slots, born: Version): boolean {
  return slots.size === 1 && slots.get(born.origin)?.hlc === born.hlc;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
