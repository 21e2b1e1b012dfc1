/** Rows and changes of a merged table in few words: versions are written ms/origin, groups as in `_merge`. */
import { formatMerge, parseMerge } from '../../../cdc/resolve/merge-state.ts';
import { needsImage, resolve } from '../../../cdc/resolve/resolve.ts';
import type { LocalRow, Resolution } from '../../../cdc/resolve/resolve.ts';
import type { TableRules } from '../../../cdc/resolve/table-rules.ts';
import type { Change, Image, Operation } from '../../../cdc/change/envelope.ts';
import { packHlc } from '../../../shared/clock/hlc.ts';
import type { Version } from '../../../shared/clock/hlc.ts';
import { tableOf } from '../../simulation/tables.ts';

/** status: state-machine with driver; seq: max; cheapest: min; seen: counter; label: lww; text: rest. */
export const RIDES: TableRules = tableOf('rides').rules;

export function v(text: string): Version {
  const [ms, origin] = text.split('/').map(Number);
  return { hlc: packHlc(ms ?? 0, 0), origin: origin ?? 0 };
}

export interface RowText {
  readonly at: string;
  /** Default: as `at`. */
  readonly born?: string;
  readonly groups?: Readonly<Record<string, string>>;
  /** By origin: version time and total. */
  readonly seen?: Readonly<Record<number, [ms: number, total: number]>>;
  readonly set?: Image;
}

const EMPTY: Image = { id: '7', unit: 1, status: 'new', driver: null, seq: null, cheapest: null, seen: 0, label: 'a', text: 'a', seat: null, code: null, updated_at: '0' };

export function row({ at, born = at, groups = {}, seen, set = {} }: RowText): Image {
  const version = v(at);
  const slots = seen === undefined ? [] : [['seen', new Map(Object.entries(seen).map(([origin, [ms, total]]) => [Number(origin), { hlc: packHlc(ms, 0), total: BigInt(total) }]))] as const];
  const state = { born: v(born), groups: new Map(Object.entries(groups).map(([name, text]) => [name, v(text)])), counters: new Map(slots) };
  const counted: Image = seen === undefined ? {} : { seen: Object.values(seen).reduce((sum, [, total]) => sum + total, 0) };
  return { ...EMPTY, ...counted, ...set, _hlc: version.hlc.toString(), _origin: version.origin, _merge: formatMerge(state, version) };
}

export function change(op: Operation, parts: { readonly before?: Image | null; readonly after?: Image | null; readonly at?: string }): Change {
  const { before = null, after = null, at } = parts;
  const version = at === undefined ? { hlc: BigInt(String(after?.['_hlc'])) as Version['hlc'], origin: Number(after?.['_origin']) } : v(at);
  return {
    op, table: 'rides', id: '7', unit: 1, version, before, after, tsMs: 0, last: true, position: '',
    source: { region: 'west', database: 'tandem', serverId: 2, gtid: '', file: '', pos: 0, row: 0 }, transaction: { id: '', order: 0, tableOrder: 0 },
  };
}

/** As apply asks: the image only where it is needed. */
export function meet(arrives: Change, here: { readonly row?: Image | null; readonly tombstone?: string | null }, rules: TableRules = RIDES): Resolution {
  const { row: standing = null, tombstone = null } = here;
  const local: LocalRow = {
    version: standing === null ? null : { hlc: BigInt(String(standing['_hlc'])) as Version['hlc'], origin: Number(standing['_origin']) },
    tombstone: tombstone === null ? null : v(tombstone), merge: standing === null ? null : (standing['_merge'] as string | null),
  };
  return resolve(rules, arrives, needsImage(rules, arrives, local) ? { ...local, image: standing } : local);
}

/** `conflict update-update state-machine merged`, or the kind alone. */
export function said(resolution: Resolution): string {
  return resolution.kind === 'conflict' ? `conflict ${resolution.conflict} ${resolution.rule} ${resolution.outcome}` : resolution.kind;
}

/** What stands afterwards. */
export function left(resolution: Resolution, before: Image | null): Image | null {
  if (resolution.kind === 'apply' || resolution.kind === 'conflict') return resolution.image === undefined ? before : resolution.image;
  return before;
}

export function stateOf(image: Image): ReturnType<typeof parseMerge> {
  return parseMerge(image['_merge'] as string | null, { hlc: BigInt(String(image['_hlc'])) as Version['hlc'], origin: Number(image['_origin']) });
}
