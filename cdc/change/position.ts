/**
 * GTID positions of both flavours, as values: how far a reader of a binlog has come.
 *
 * Invariant: `covers` answers yes only where the transaction is surely part of the position; on doubt (another server id
 * in a MariaDB domain, an unknown source) it says no, because sending twice is harmless and skipping is not.
 * Deliberately absent: wire encodings and connections.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';

/** MySQL: "uuid[:tag]" → closed intervals, sorted. MariaDB: domain → server and sequence. '' fits both. */
export type Position =
  | { readonly flavour: 'mysql'; readonly sets: ReadonlyMap<string, readonly Interval[]> }
  | { readonly flavour: 'mariadb'; readonly domains: ReadonlyMap<string, MariaGtid> }
  | { readonly flavour: 'empty' };

interface Interval { readonly from: bigint; readonly to: bigint }
interface MariaGtid { readonly server: string; readonly sequence: bigint }

const MARIA = /^(?<domain>\d+)-(?<server>\d+)-(?<sequence>\d+)$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const INTERVAL = /^(?<from>\d+)(?:-(?<to>\d+))?$/;

/** Parses what the servers print. Throws change-malformed. */
export function parsePosition(text: string): Position {
  const trimmed = text.replaceAll(/\s/g, '').toLowerCase();
  if (trimmed === '') return { flavour: 'empty' };
  const entries = trimmed.split(',');
  return trimmed.includes(':') ? parseMysql(text, entries) : parseMaria(text, entries);
}

/** Is the transaction `gtid` ("uuid:1", "uuid:tag:1" or "0-1-2") at or before this position? */
export function covers(position: Position, gtid: string): boolean {
  if (position.flavour === 'mysql') {
    const at = gtid.lastIndexOf(':');
    const intervals = at < 0 ? undefined : position.sets.get(gtid.slice(0, at).toLowerCase());
    const number = INTERVAL.test(gtid.slice(at + 1)) ? BigInt(gtid.slice(at + 1)) : undefined;
    return number !== undefined && (intervals ?? []).some(({ from, to }) => from <= number && number <= to);
  }
  if (position.flavour === 'mariadb') {
    const { domain, server, sequence } = MARIA.exec(gtid)?.groups ?? {};
    const reached = position.domains.get(domain ?? '');
    return reached !== undefined && reached.server === server && BigInt(sequence ?? 0) <= reached.sequence;
  }
  return false;
}

/** The position after `gtid` as well, whatever came in between. Throws change-malformed on mixed flavours. */
export function addGtid(position: Position, gtid: string): Position {
  const { domain, server, sequence } = MARIA.exec(gtid)?.groups ?? {};
  if (domain !== undefined && server !== undefined && sequence !== undefined) {
    if (position.flavour === 'mysql') throw malformed(gtid, 'a GTID of MariaDB after a position of MySQL');
    const domains = new Map(position.flavour === 'mariadb' ? position.domains : []);
    return { flavour: 'mariadb', domains: domains.set(domain, { server, sequence: BigInt(sequence) }) };
  }
  const at = gtid.lastIndexOf(':');
  if (position.flavour === 'mariadb' || !UUID.test(gtid.slice(0, 36)) || !/^\d+$/.test(gtid.slice(at + 1))) throw malformed(gtid, `no GTID to follow ${formatPosition(position)}`);
  const source = gtid.slice(0, at);
  const sets = new Map(position.flavour === 'mysql' ? position.sets : []);
  return { flavour: 'mysql', sets: sets.set(source, withNumber(sets.get(source) ?? [], BigInt(gtid.slice(at + 1)))) };
}

/** Mostly the next number of the last interval; else it fills or makes a gap. */
function withNumber(intervals: readonly Interval[], number: bigint): readonly Interval[] {
  if (intervals.some(({ from, to }) => from <= number && number <= to)) return intervals;
  const below = intervals.filter(({ to }) => to < number);
  const above = intervals.filter(({ from }) => from > number);
  const [left, right] = [below.at(-1), above[0]];
  const joinsLeft = left !== undefined && left.to + 1n === number;
  const joinsRight = right !== undefined && right.from - 1n === number;
  const joined = { from: joinsLeft ? left.from : number, to: joinsRight ? right.to : number };
  return [...(joinsLeft ? below.slice(0, -1) : below), joined, ...(joinsRight ? above.slice(1) : above)];
}

/** What both positions cover: reading on from it misses nothing that either misses. Throws change-malformed on mixed flavours. */
export function earlier(a: Position, b: Position): Position {
  if (a.flavour === 'empty' || b.flavour === 'empty') return { flavour: 'empty' };
  if (a.flavour === 'mysql' && b.flavour === 'mysql') return intersectMysql(a.sets, b.sets);
  if (a.flavour === 'mariadb' && b.flavour === 'mariadb') return intersectMaria(a.domains, b.domains);
  throw malformed(`${formatPosition(a)} and ${formatPosition(b)}`, 'positions of two database flavours in one topic');
}

export function formatPosition(position: Position): string {
  if (position.flavour === 'empty') return '';
  if (position.flavour === 'mariadb') {
    return [...position.domains].map(([domain, { server, sequence }]) => `${domain}-${server}-${sequence}`).join(',');
  }
  return [...position.sets]
    .map(([source, intervals]) => `${source}:${intervals.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(':')}`)
    .join(',');
}

function parseMysql(text: string, entries: readonly string[]): Position {
  const sets = new Map<string, Interval[]>();
  for (const entry of entries) {
    const [uuid = '', ...items] = entry.split(':');
    if (!UUID.test(uuid)) throw malformed(text, `"${uuid}" is no server UUID`);
    let source = uuid;
    for (const item of items) {
      const { from, to } = INTERVAL.exec(item)?.groups ?? {};
      if (from === undefined) {
        source = `${uuid}:${item}`;
        continue;
      }
      const intervals = sets.get(source) ?? [];
      intervals.push({ from: BigInt(from), to: BigInt(to ?? from) });
      sets.set(source, intervals);
    }
  }
  for (const intervals of sets.values()) intervals.sort((a, b) => (a.from < b.from ? -1 : 1));
  return { flavour: 'mysql', sets };
}

function parseMaria(text: string, entries: readonly string[]): Position {
  const domains = new Map<string, MariaGtid>();
  for (const entry of entries) {
    const { domain, server, sequence } = MARIA.exec(entry)?.groups ?? {};
    if (domain === undefined || server === undefined || sequence === undefined) throw malformed(text, `"${entry}" is no GTID`);
    domains.set(domain, { server, sequence: BigInt(sequence) });
  }
  return { flavour: 'mariadb', domains };
}

function intersectMysql(a: ReadonlyMap<string, readonly Interval[]>, b: ReadonlyMap<string, readonly Interval[]>): Position {
  const sets = new Map<string, readonly Interval[]>();
  for (const [source, ours] of a) {
    const common = ours.flatMap((x) =>
      (b.get(source) ?? [])
        .map((y) => ({ from: x.from > y.from ? x.from : y.from, to: x.to < y.to ? x.to : y.to }))
        .filter(({ from, to }) => from <= to),
    );
    if (common.length > 0) sets.set(source, common);
  }
  return sets.size === 0 ? { flavour: 'empty' } : { flavour: 'mysql', sets };
}

function intersectMaria(a: ReadonlyMap<string, MariaGtid>, b: ReadonlyMap<string, MariaGtid>): Position {
  const domains = new Map<string, MariaGtid>();
  for (const [domain, ours] of a) {
    const theirs = b.get(domain);
    if (theirs !== undefined) domains.set(domain, ours.sequence <= theirs.sequence ? ours : theirs);
  }
  return domains.size === 0 ? { flavour: 'empty' } : { flavour: 'mariadb', domains };
}

function malformed(text: string, why: string): TandemError {
  return new TandemError('change-malformed', `GTID position "${text}": ${why}`);
}
