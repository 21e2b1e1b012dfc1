/** What each rule makes of two rows of one birth; `_merge` as text. */
import { describe, expect, it } from 'vitest';
import { mergeRows } from '../../../cdc/resolve/merge.ts';
import type { RowState } from '../../../cdc/resolve/merge.ts';
import { formatMerge, parseMerge } from '../../../cdc/resolve/merge-state.ts';
import { compareValues } from '../../../cdc/resolve/compare-values.ts';
import type { Image } from '../../../cdc/change/envelope.ts';
import { RIDES, row, stateOf, v } from './merged-rows.ts';
import { versionIn } from './trigger-model.ts';

const side = (image: Image): RowState => ({ image, version: versionIn(image), state: stateOf(image) });

const merged = (a: Image, b: Image): Image => {
  const [there, back] = [mergeRows(RIDES.merge!, side(a), side(b)).image, mergeRows(RIDES.merge!, side(b), side(a)).image];
  expect(there).toEqual(back);
  return there;
};

describe('a state machine', () => {
  const open = row({ at: '9/2', born: '1/1', groups: { status: '9/2' }, set: { status: 'open', driver: 'bob' } });

  it('takes the further state with its columns, whatever the versions say', () => {
    const done = row({ at: '5/1', born: '1/1', groups: { status: '5/1' }, set: { status: 'done', driver: 'ann' } });
    expect(merged(done, open)).toMatchObject({ status: 'done', driver: 'ann', _origin: 2 });
  });

  it('takes the later of two states that stand side by side', () => {
    const [done, failed] = [row({ at: '5/1', born: '1/1', groups: { status: '5/1' }, set: { status: 'done' } }), row({ at: '6/2', born: '1/1', groups: { status: '6/2' }, set: { status: 'failed' } })];
    expect(merged(done, failed)).toMatchObject({ status: 'failed' });
  });

  it('has a state that nobody listed below all others', () => {
    const odd = row({ at: '20/1', born: '1/1', groups: { status: '20/1' }, set: { status: 'odd' } });
    expect(merged(odd, open)).toMatchObject({ status: 'open' });
  });
});

describe('max and min', () => {
  it('take the higher and the lower value, and any value before NULL', () => {
    const a = row({ at: '5/1', born: '1/1', groups: { 'progress.seq': '5/1', 'price.cheapest': '5/1' }, set: { seq: 4, cheapest: null } });
    const b = row({ at: '9/2', born: '1/1', groups: { 'progress.seq': '9/2', 'price.cheapest': '9/2' }, set: { seq: 3, cheapest: 7 } });
    expect(merged(a, b)).toMatchObject({ seq: 4, cheapest: 7 });
  });

  it('compare numbers exactly, and times as text', () => {
    expect(compareValues('9007199254740993', '9007199254740992')).toBeGreaterThan(0);
    expect(compareValues('-1.50', '-1.5')).toBe(0);
    expect(compareValues('10.1', '9.99')).toBeGreaterThan(0);
    expect(compareValues('2026-01-02 00:00:00.000', '2026-01-01 23:59:59.999')).toBeGreaterThan(0);
    expect(compareValues('5', 4)).toBeGreaterThan(0);
  });
});

describe('a counter', () => {
  it('has what both regions added, and what the row was born with once', () => {
    const a = row({ at: '5/1', born: '1/1', seen: { 1: [5, 7] } });
    const b = row({ at: '6/2', born: '1/1', seen: { 1: [1, 3], 2: [6, 2] } });
    expect(merged(a, b)).toMatchObject({ seen: 9 });
    expect(merged(merged(a, b), b)).toEqual(merged(a, b));
  });

  it('has only the later of one region\'s parts, though it be smaller', () => {
    const earlier = row({ at: '5/1', born: '1/1', seen: { 1: [5, 7] } });
    const later = row({ at: '6/1', born: '1/1', seen: { 1: [6, 2] } });
    expect(merged(earlier, later)).toMatchObject({ seen: 2 });
  });

  it('stays within what the column can hold', () => {
    const rules = { ...RIDES.merge!, groups: RIDES.merge!.groups.map((group) => (group.rule === 'counter' ? { ...group, lowest: 0n, highest: 255n } : group)) };
    const full = mergeRows(rules, side(row({ at: '5/1', born: '1/1', seen: { 1: [5, 200] } })), side(row({ at: '6/2', born: '1/1', seen: { 1: [1, 0], 2: [6, 200] } })));
    expect(full.image).toMatchObject({ seen: 255 });
    expect(full.state.counters.get('seen')?.get(2)?.total).toBe(200n);
  });
});

describe('rules that changed under a standing row', () => {
  it('equal versions with different values: both sides take the same', () => {
    const [a, b] = [row({ at: '5/1', born: '1/1', set: { label: 'x' } }), row({ at: '6/2', born: '1/1', set: { label: 'y' } })];
    expect(merged(a, b)).toMatchObject({ label: 'y' });
  });

  it('groups that only the other side knows are carried along', () => {
    const a = row({ at: '5/1', born: '1/1', groups: { newer: '5/1' } });
    expect(stateOf(merged(a, row({ at: '6/2', born: '1/1' }))).groups.get('newer')).toEqual(v('5/1'));
  });
});

describe('the text of `_merge`', () => {
  it('is one for one state: sorted, without what follows from the birth', () => {
    const state = parseMerge('{"g": {"z": "10/1", "a": "9/2", "same": "5/1"}, "n": {"c": {"2": ["9","1"], "1": ["5","4"]}, "unchanged": {"1": ["5", "8"]}}, "born": "5/1"}', v('1/1'));
    expect(formatMerge(state, v('9/9'))).toBe('{"born":"5/1","g":{"a":"9/2","z":"10/1"},"n":{"c":{"1":["5","4"],"2":["9","1"]}}}');
  });

  it('is nothing where the row stands as it was born', () => {
    expect(formatMerge(parseMerge(null, v('5/1')), v('5/1'))).toBeNull();
  });

  it('that nobody wrote is named, not guessed at', () => {
    expect(() => parseMerge('{"born": 7}', v('5/1'))).toThrow(/_merge holds what nobody wrote/);
    expect(() => parseMerge('x', v('5/1'))).toThrow(/_merge/);
  });
});
