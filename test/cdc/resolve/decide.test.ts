/** Every pair of what arrives and what stands, by name. Versions are written ms/origin. */
import { describe, expect, it } from 'vitest';
import { decideCollision, setAsideVersion } from '../../../cdc/resolve/collision.ts';
import { conflictRow } from '../../../cdc/resolve/conflict-row.ts';
import { decide } from '../../../cdc/resolve/decide.ts';
import { compareVersions, packHlc } from '../../../shared/clock/hlc.ts';
import type { Version } from '../../../shared/clock/hlc.ts';

const v = (text: string | null): Version | null => {
  if (text === null) return null;
  const [ms, origin] = text.split('/').map(Number);
  return { hlc: packHlc(ms ?? 0, 0), origin: origin ?? 0 };
};

const CASES: readonly [name: string, op: 'c' | 'u' | 'd', version: string, before: string | null, row: string | null, tombstone: string | null, expected: string][] = [
  ['an insert where nothing stands', 'c', '5/2', null, null, null, 'apply'],
  ['an update of the version it changed', 'u', '5/2', '3/1', '3/1', null, 'apply'],
  ['an update replayed after a newer one changes nothing', 'u', '5/2', '3/1', '7/2', null, 'stale'],
  ['the same version twice', 'u', '5/2', '3/1', '5/2', null, 'duplicate'],
  ['a newer version of the same writer, one missed', 'u', '7/2', '5/2', '3/2', null, 'apply'],
  ['two updates of one version, the remote newer', 'u', '7/2', '3/1', '5/1', null, 'conflict update-update remote'],
  ['two updates of one version, the local newer', 'u', '5/2', '3/1', '7/1', null, 'conflict update-update local'],
  ['equal times: the higher origin wins', 'u', '5/2', '3/1', '5/1', null, 'conflict update-update remote'],
  ['two inserts, the remote newer', 'c', '7/2', null, '5/1', null, 'conflict insert-insert remote'],
  ['two inserts, the local newer', 'c', '5/2', null, '7/1', null, 'conflict insert-insert local'],
  ['a delete of the version it saw', 'd', '5/2', '3/1', '3/1', null, 'apply'],
  ['a delete beats an older update', 'd', '7/2', '3/1', '5/1', null, 'conflict delete-update remote'],
  ['a newer update beats a delete', 'd', '5/2', '3/1', '7/1', null, 'conflict delete-update local'],
  ['a late update cannot bring the row back', 'u', '5/2', '3/1', null, '7/1', 'conflict update-delete local'],
  ['a newer update brings the row back', 'u', '9/2', '3/1', null, '7/1', 'conflict update-delete remote'],
  ['an update redelivered after its own region deleted the row', 'u', '5/2', '3/2', null, '7/2', 'stale'],
  ['an insert anew, after the delete', 'c', '9/2', null, null, '7/1', 'apply'],
  ['an insert from before the delete', 'c', '5/2', null, null, '7/1', 'conflict update-delete local'],
  ['both deleted it', 'd', '9/2', '3/1', null, '7/1', 'apply'],
  ['both deleted it, ours later', 'd', '5/2', '3/1', null, '7/1', 'stale'],
  ['the same delete twice', 'd', '7/2', '3/1', null, '7/2', 'duplicate'],
  ['a delete of a row that never came', 'd', '7/2', null, null, null, 'apply'],
  ['an update of a row that never came', 'u', '7/2', '5/2', null, null, 'apply'],
  ['the peer set our row aside', 'd', '6/0', null, '5/1', null, 'conflict unique remote'],
  ['the peer set aside what has moved on here', 'd', '6/0', null, '7/1', null, 'stale'],
  ['a write after being set aside', 'u', '9/2', '5/2', null, '6/0', 'apply'],
  ['what was set aside, redelivered', 'c', '5/2', null, null, '6/0', 'stale'],
];

describe('decide', () => {
  it.each(CASES)('%s', (_name, op, version, before, row, tombstone, expected) => {
    const decision = decide({ op, version: v(version) as Version, beforeVersion: v(before) }, v(row), v(tombstone));
    expect(decision.kind === 'conflict' ? `conflict ${decision.conflict} ${decision.winner}` : decision.kind).toBe(expected);
  });
});

describe('a unique collision', () => {
  const [older, newer] = [v('5/1'), v('5/2')] as [Version, Version];

  it('has the same loser on both sides', () => {
    expect(decideCollision({ id: '1', version: newer }, { id: '2', version: older })).toEqual({ loser: 'standing' });
    expect(decideCollision({ id: '2', version: older }, { id: '1', version: newer })).toEqual({ loser: 'incoming' });
  });

  it('between rows that were born in one statement has the same loser as well: the lower id', () => {
    expect(decideCollision({ id: '10', version: older }, { id: '9', version: older })).toEqual({ loser: 'standing' });
    expect(decideCollision({ id: '9', version: older }, { id: '10', version: older })).toEqual({ loser: 'incoming' });
  });

  it('the loser is deleted just above its own version, below any other write of it', () => {
    const gone = setAsideVersion(older);
    expect(compareVersions(gone, older)).toBe(1);
    expect(compareVersions(gone, { hlc: gone.hlc, origin: 1 })).toBe(-1);
  });

  it('has one id, seen from either side', () => {
    const parts = { table: 't', unit: 1, kind: 'unique', rule: 'unique', outcome: 'set-aside', localImage: null, remoteImage: null } as const;
    const here = conflictRow({ ...parts, rowId: '1', otherRowId: '2', local: older, remote: newer });
    const there = conflictRow({ ...parts, rowId: '2', otherRowId: '1', local: newer, remote: older });
    expect(here.id).toBe(there.id);
    expect(conflictRow({ ...parts, rowId: '3', otherRowId: '1', local: newer, remote: older }).id).not.toBe(here.id);
  });
});
