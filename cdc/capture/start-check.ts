/**
 * May this server be read on from that position? Everything that would be a gap, or a change taken for another, is refused here
 * by the GTIDs concerned. Pure.
 *
 * Invariant: ok means that the server has all that the topic has, and its binlogs still hold all that comes after the position.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { formatPosition, parsePosition } from '../change/position.ts';
import type { Position } from '../change/position.ts';
import type { MariaGtid, ServerPosition } from './server-position.ts';


export interface StartCheck {
  /** Where the binlog is read on. */
  readonly from: Position;
  /** Positions and single GTIDs that the topic shows to have been captured. */
  readonly sent: readonly Position[];
  readonly server: ServerPosition;
  /** For the commands in the messages. */
  readonly region: string;
}

/**
 * Throws capture-wrong-server, capture-server-behind, capture-position-gone; details.missing has the GTIDs.
 */
export function checkStart({ from, sent, server, region }: StartCheck): void {
  for (const position of [from, ...sent]) refuseOtherFlavour(position, server);
  const lost = [...new Set(sent.map((position) => unknownTo(server, position)).filter((text) => text !== ''))];
  if (lost.length > 0) {
    throw new TandemError('capture-server-behind', `transactions that were captured and sent to the peer are not on this server: ${lost.join(', ')}; it is a replica that had not received them, or was restored: run tandem diff and repair, then ${resetCommand(region, 'now')}`, {
      details: { missing: lost.join(','), server: formatPosition(endOf(server)) },
    });
  }
  const gone = purgedAfter(server, from);
  if (gone !== '') {
    throw new TandemError('capture-position-gone', `the binlogs with transactions ${gone} were purged before they were captured (the topic ends at ${formatPosition(from) || 'the beginning'}): run ${resetCommand(region, 'snapshot')}, then tandem diff`, {
      details: { missing: gone, from: formatPosition(from), oldestFile: server.oldestFile },
    });
  }
}

export function resetCommand(region: string, to: string): string {
  return `tandem cdc reset ${region} --part capture --to ${to}`;
}

/** The end of the server's binlog. */
export function endOf(server: ServerPosition): Position {
  return server.flavour === 'mysql' ? server.executed : server.end;
}

/** The position before the oldest binlog that the server still has. */
export function oldestOf(server: ServerPosition): Position {
  if (server.flavour === 'mysql') return server.purged;
  return parsePosition(newestOfEach(server.purged).map(gtidText).join(','));
}

function refuseOtherFlavour({ flavour }: Position, server: ServerPosition): void {
  if (flavour === 'empty' || flavour === server.flavour) return;
  const [theirs, ours] = [nameOf(flavour), nameOf(server.flavour)];
  throw new TandemError('capture-wrong-server', `the position is one of ${theirs}, but the server is ${ours}: this is not the server that was captured before`, {
    details: { position: flavour, server: server.flavour },
  });
}

const nameOf = (flavour: 'mysql' | 'mariadb'): string => (flavour === 'mysql' ? 'MySQL' : 'MariaDB');

/** What of `position` the server never had, as text; '' for nothing. */
function unknownTo(server: ServerPosition, position: Position): string {
  if (position.flavour === 'mysql' && server.flavour === 'mysql') return mysqlMissing(position, server.executed);
  if (position.flavour !== 'mariadb' || server.flavour !== 'mariadb') return '';
  const missing: string[] = [];
  for (const [domain, { server: id, sequence }] of position.domains) {
    const has = server.known.filter((gtid) => gtid.domain === domain && gtid.server === id).reduce((high, gtid) => (gtid.sequence > high ? gtid.sequence : high), 0n);
    if (has < sequence) missing.push(rangeText(domain, id, has + 1n, sequence));
  }
  return missing.join(', ');
}

/** What came after `from` and is in no binlog any more, as text; '' for nothing. */
function purgedAfter(server: ServerPosition, from: Position): string {
  if (server.flavour === 'mysql') return mysqlMissing(server.purged, from);
  const missing: string[] = [];
  for (const { domain, server: id, sequence } of newestOfEach(server.purged)) {
    const reached = from.flavour === 'mariadb' ? (from.domains.get(domain)?.sequence ?? 0n) : 0n;
    if (reached < sequence) missing.push(rangeText(domain, id, reached + 1n, sequence));
  }
  return missing.join(', ');
}

/** `wanted` without `have`, in MySQL's notation. */
function mysqlMissing(wanted: Position, have: Position): string {
  if (wanted.flavour !== 'mysql') return '';
  const parts: string[] = [];
  for (const [source, intervals] of wanted.sets) {
    const held = have.flavour === 'mysql' ? (have.sets.get(source) ?? []) : [];
    let left = intervals.map(({ from, to }) => ({ from, to }));
    for (const { from, to } of held) {
      left = left.flatMap((each) => [{ from: each.from, to: min(each.to, from - 1n) }, { from: max(each.from, to + 1n), to: each.to }]).filter((each) => each.from <= each.to);
    }
    if (left.length > 0) parts.push(`${source}:${left.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(':')}`);
  }
  return parts.join(',');
}

function newestOfEach(gtids: readonly MariaGtid[]): readonly MariaGtid[] {
  const newest = new Map<string, MariaGtid>();
  for (const gtid of gtids) {
    const known = newest.get(gtid.domain);
    if (known === undefined || gtid.sequence > known.sequence) newest.set(gtid.domain, gtid);
  }
  return [...newest.values()];
}

const gtidText = ({ domain, server, sequence }: MariaGtid): string => `${domain}-${server}-${sequence}`;
const rangeText = (domain: string, server: string, from: bigint, to: bigint): string =>
  from === to ? `${domain}-${server}-${to}` : `${domain}-${server}-${from} to ${domain}-${server}-${to}`;
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
