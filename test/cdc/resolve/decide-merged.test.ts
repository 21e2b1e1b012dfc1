/** Every pair of what arrives and what stands, by name, in a merged table. Versions are written ms/origin; east is 1, west is 2. */
import { describe, expect, it } from 'vitest';
import { collisionVersion, isEndedBy } from '../../../cdc/resolve/collision.ts';
import { RIDES, change, left, meet, row, said, v } from './merged-rows.ts';

const BORN = row({ at: '1/1' });

describe('insert', () => {
  it('where nothing stands: it applies', () => {
    expect(said(meet(change('c', { after: BORN }), {}))).toBe('apply');
  });

  it('and insert: the later birth stands whole, the other is on record', () => {
    const [ours, theirs] = [row({ at: '5/1', set: { text: 'ours' } }), row({ at: '6/2', set: { text: 'theirs' } })];
    expect(said(meet(change('c', { after: theirs }), { row: ours }))).toBe('conflict insert-insert later-birth took-remote');
    expect(said(meet(change('c', { after: ours }), { row: theirs }))).toBe('conflict insert-insert later-birth kept-local');
  });

  it('and insert at one time: the higher origin stands', () => {
    const [ours, theirs] = [row({ at: '5/1' }), row({ at: '5/2' })];
    expect(said(meet(change('c', { after: theirs }), { row: ours }))).toBe('conflict insert-insert later-birth took-remote');
    expect(said(meet(change('c', { after: ours }), { row: theirs }))).toBe('conflict insert-insert later-birth kept-local');
  });

  it('that was updated here since arrives again: stale, as whoever wrote to it has seen it', () => {
    expect(said(meet(change('c', { after: BORN }), { row: row({ at: '5/2', born: '1/1', groups: { rest: '5/2' } }) }))).toBe('stale');
  });

  it('anew after a delete: it applies above the tombstone, and is killed by one above it', () => {
    expect(said(meet(change('c', { after: row({ at: '9/2' }) }), { tombstone: '7/1' }))).toBe('apply');
    expect(said(meet(change('c', { after: row({ at: '5/2' }) }), { tombstone: '7/1' }))).toBe('conflict update-delete remove-wins kept-local');
  });

  it('anew of a row that stands here from before (its delete is still to come): the later birth stands', () => {
    expect(said(meet(change('c', { after: row({ at: '9/2' }) }), { row: row({ at: '5/2', born: '1/2', groups: { rest: '5/2' } }) }))).toBe('apply');
  });
});

describe('update', () => {
  const ours = row({ at: '5/1', born: '1/1', groups: { label: '5/1' }, set: { label: 'ours' } });
  const theirs = row({ at: '6/2', born: '1/1', groups: { rest: '6/2' }, set: { text: 'theirs' } });

  it('of what stands: it applies without looking', () => {
    expect(said(meet(change('u', { before: BORN, after: theirs }), { row: BORN }))).toBe('apply');
  });

  it('and update of different groups: both stand, and nothing is lost', () => {
    const merged = meet(change('u', { before: BORN, after: theirs }), { row: ours });
    expect(said(merged)).toBe('apply');
    expect(left(merged, ours)).toMatchObject({ label: 'ours', text: 'theirs', _origin: 2 });
    expect(left(meet(change('u', { before: BORN, after: ours }), { row: theirs }), theirs)).toEqual(left(merged, ours));
  });

  it('and update of one group: the later one stands, and both sides name the same two versions', () => {
    const mine = row({ at: '5/1', born: '1/1', groups: { rest: '5/1' }, set: { text: 'mine' } });
    const here = meet(change('u', { before: BORN, after: theirs }), { row: mine });
    const there = meet(change('u', { before: BORN, after: mine }), { row: theirs });
    expect([said(here), said(there)]).toEqual(['conflict update-update lww took-remote', 'conflict update-update lww kept-local']);
    expect(here).toMatchObject({ local: v('5/1'), remote: v('6/2') });
    expect(there).toMatchObject({ local: v('6/2'), remote: v('5/1') });
  });

  it('and update at one time: the higher origin stands on both sides', () => {
    const [a, b] = [row({ at: '5/1', born: '1/1', groups: { rest: '5/1' }, set: { text: 'a' } }), row({ at: '5/2', born: '1/1', groups: { rest: '5/2' }, set: { text: 'b' } })];
    expect(left(meet(change('u', { before: BORN, after: b }), { row: a }), a)).toMatchObject({ text: 'b' });
    expect(left(meet(change('u', { before: BORN, after: a }), { row: b }), b)).toMatchObject({ text: 'b' });
  });

  it('and update, one group of each contested, others not: merged, with a conflict', () => {
    const mine = row({ at: '5/1', born: '1/1', groups: { 'rest': '5/1', 'progress.seq': '5/1' }, set: { text: 'mine', seq: 9 } });
    const merged = meet(change('u', { before: BORN, after: theirs }), { row: mine });
    expect(said(merged)).toBe('conflict update-update lww merged');
    expect(left(merged, mine)).toMatchObject({ text: 'theirs', seq: 9 });
  });

  it('twice: the second is a duplicate; an older one of the same writer is stale', () => {
    expect(said(meet(change('u', { before: BORN, after: theirs }), { row: theirs }))).toBe('duplicate');
    const later = row({ at: '8/2', born: '1/1', groups: { rest: '8/2' }, set: { text: 'later' } });
    expect(said(meet(change('u', { before: BORN, after: theirs }), { row: later }))).toBe('stale');
  });

  it('on top of a merge, by a writer who had not seen it: equal versions do not mean equal rows', () => {
    const both = left(meet(change('u', { before: BORN, after: theirs }), { row: ours }), ours)!;
    const next = row({ at: '9/2', born: '1/1', groups: { rest: '9/2' }, set: { text: 'next' } });
    const merged = meet(change('u', { before: theirs, after: next }), { row: both });
    expect(left(merged, both)).toMatchObject({ label: 'ours', text: 'next' });
  });

  it('of a row from before `_merge`: it counts as inserted at its version', () => {
    const [a, b] = [row({ at: '5/1', set: { text: 'a' } }), row({ at: '6/2', set: { text: 'b' } })];
    expect(said(meet(change('u', { before: BORN, after: b }), { row: a }))).toBe('conflict update-update later-birth took-remote');
  });

  it('of a row that never came: it applies', () => {
    expect(said(meet(change('u', { before: BORN, after: theirs }), {}))).toBe('apply');
  });

  it('that changes nothing but the version: the higher version stands, and nobody lost', () => {
    const touched = row({ at: '9/2', born: '1/1' });
    const merged = meet(change('u', { before: BORN, after: touched }), { row: ours });
    expect(said(merged)).toBe('apply');
    expect(left(merged, ours)).toMatchObject({ label: 'ours', _hlc: v('9/2').hlc.toString() });
  });
});

describe('delete', () => {
  const updated = row({ at: '5/1', born: '1/1', groups: { rest: '5/1' } });

  it('of what stands: it applies', () => {
    expect(said(meet(change('d', { before: updated, at: '7/2' }), { row: updated }))).toBe('apply');
  });

  it('and update: the delete wins even where it is older, and the update is on record on both sides, under the same two versions', () => {
    const late = row({ at: '9/1', born: '1/1', groups: { rest: '9/1' } });
    const here = meet(change('d', { before: BORN, at: '7/2' }), { row: late });
    expect(said(here)).toBe('conflict delete-update remove-wins took-remote');
    expect(left(here, late)).toBeNull();
    const there = meet(change('u', { before: BORN, after: late }), { tombstone: '7/2' });
    expect(said(there)).toBe('conflict update-delete remove-wins kept-local');
    expect([here, there]).toMatchObject([{ local: v('9/1'), remote: v('7/2') }, { local: v('7/2'), remote: v('9/1') }]);
  });

  it('and a late update of its own writer: stale', () => {
    expect(said(meet(change('u', { before: BORN, after: updated }), { tombstone: '7/1' }))).toBe('stale');
  });

  it('and delete: the higher tombstone stays', () => {
    expect(said(meet(change('d', { before: BORN, at: '9/2' }), { tombstone: '7/1' }))).toBe('apply');
    expect(said(meet(change('d', { before: BORN, at: '5/2' }), { tombstone: '7/1' }))).toBe('stale');
    expect(said(meet(change('d', { before: BORN, at: '7/1' }), { tombstone: '7/1' }))).toBe('duplicate');
  });

  it('of an earlier birth: what was inserted anew stays', () => {
    expect(said(meet(change('d', { before: BORN, at: '7/2' }), { row: row({ at: '8/1' }) }))).toBe('stale');
  });

  it('of a row that never came: it leaves its tombstone', () => {
    expect(meet(change('d', { before: BORN, at: '7/2' }), {})).toEqual({ kind: 'apply', image: null, version: v('7/2') });
  });

  it('over another birth here that it had not seen: gone, and on record', () => {
    expect(said(meet(change('d', { before: BORN, at: '9/2' }), { row: row({ at: '6/1' }) }))).toBe('conflict delete-update remove-wins took-remote');
  });

  it('over a counter that only this side had raised: on record', () => {
    const raised = row({ at: '5/1', born: '1/2', seen: { 2: [1, 0], 1: [5, 3] } });
    expect(said(meet(change('d', { before: row({ at: '1/2' }), at: '7/2' }), { row: raised }))).toBe('conflict delete-update remove-wins took-remote');
  });
});

describe('a primary key that changed', () => {
  it('is a delete of the old row and a birth of the new one, above whatever lay there', () => {
    expect(said(meet(change('d', { before: BORN, at: '7/2' }), { row: BORN }))).toBe('apply');
    expect(said(meet(change('c', { after: row({ at: '8/2' }) }), { tombstone: '3/1' }))).toBe('apply');
  });
});

describe('set aside', () => {
  const grown = row({ at: '9/1', born: '4/1', groups: { rest: '9/1' } });

  it('goes by birth: whatever was written since does not save the row, and is on record', () => {
    expect(collisionVersion(RIDES, { version: v('9/1'), merge: grown['_merge'] as string })).toEqual(v('4/1'));
    const gone = { hlc: v('4/1').hlc + 1n, origin: 0 } as ReturnType<typeof v>;
    expect(isEndedBy(gone, RIDES, { version: v('9/1'), merge: grown['_merge'] as string })).toBe(true);
    expect(said(meet({ ...change('d', { before: null, at: '0/0' }), version: gone }, { row: grown }))).toBe('conflict unique unique set-aside');
  });

  it('a row inserted anew outlives it', () => {
    const gone = { hlc: v('4/1').hlc + 1n, origin: 0 } as ReturnType<typeof v>;
    expect(said(meet({ ...change('d', { before: null, at: '0/0' }), version: gone }, { row: row({ at: '5/1' }) }))).toBe('stale');
  });

  it('a row that got its unique value in another group than the peer changed still has its own birth', () => {
    expect(collisionVersion(RIDES, { version: v('4/1'), merge: null })).toEqual(v('4/1'));
  });
});

describe('a row that a snapshot read', () => {
  it('is taken where nothing stands, or where it knows more; never recorded where it is older', () => {
    const theirs = row({ at: '6/2', born: '1/1', groups: { rest: '6/2' } });
    expect(said(meet(change('r', { after: theirs }), {}))).toBe('apply');
    expect(said(meet(change('r', { after: theirs }), { row: BORN }))).toBe('apply');
    expect(said(meet(change('r', { after: theirs }), { row: theirs }))).toBe('duplicate');
    expect(said(meet(change('r', { after: theirs }), { row: row({ at: '8/1', born: '1/1', groups: { rest: '8/1' } }) }))).toBe('stale');
    expect(said(meet(change('r', { after: theirs }), { tombstone: '7/1' }))).toBe('stale');
    expect(said(meet(change('r', { after: row({ at: '3/2' }) }), { row: row({ at: '5/1' }) }))).toBe('stale');
  });
});
