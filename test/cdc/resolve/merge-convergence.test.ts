/**
 * Merging is commutative, associative and idempotent over all states that triggers, deletes and merges can reach, and a local
 * write leads upwards. Clocks stand still, jump and step back. fast-check prints the seed of a failure.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeRows } from '../../../cdc/resolve/merge.ts';
import type { RowState } from '../../../cdc/resolve/merge.ts';
import { resolve, needsImage } from '../../../cdc/resolve/resolve.ts';
import type { Change, Image } from '../../../cdc/change/envelope.ts';
import { packHlc } from '../../../shared/clock/hlc.ts';
import type { Version } from '../../../shared/clock/hlc.ts';
import { RIDES, change, row, stateOf } from './merged-rows.ts';
import { Refused, inserted, mergeIn, tombstoneOf, updated, versionIn } from './trigger-model.ts';

const rules = RIDES.merge!;
const STATES = ['new', 'open', 'done', 'failed'];

const write = fc.record({
  side: fc.constantFrom(0, 1, 2),
  // Clocks that stand still, jump and step back.
  clockMs: fc.integer({ min: 1, max: 9 }),
  set: fc.record({
    status: fc.constantFrom(...STATES), driver: fc.constantFrom('ann', 'bob', null), seq: fc.integer({ min: 0, max: 9 }), cheapest: fc.integer({ min: 0, max: 9 }),
    seen: fc.integer({ min: 0, max: 9 }), label: fc.constantFrom('x', 'y'), text: fc.constantFrom('p', 'q', 'r'),
  }, { requiredKeys: [] }),
  act: fc.oneof({ weight: 6, arbitrary: fc.constant('write') }, { weight: 3, arbitrary: fc.constant('merge') }),
  from: fc.constantFrom(0, 1, 2),
});

const side = (image: Image): RowState => ({ image, version: versionIn(image), state: stateOf(image) });
const join = (a: Image, b: Image): Image => mergeRows(rules, side(a), side(b)).image;

/** Three regions write to one birth and merge now and then: the states they come to. */
function reach(start: Image, steps: readonly (typeof write extends fc.Arbitrary<infer T> ? T : never)[]): { states: Image[]; all: Image[] } {
  const states = [start, start, start];
  const all = [start];
  for (const { side: at, clockMs, set, act, from } of steps) {
    try {
      states[at] = act === 'merge' ? join(states[at]!, states[from]!) : updated(RIDES, states[at]!, set, { clock: packHlc(clockMs, 0), origin: at + 1 });
      all.push(states[at]!);
    } catch (e) {
      if (!(e instanceof Refused)) throw e;
    }
  }
  return { states, all };
}

const START = [row({ at: '5/1' }), row({ at: '9/2', born: '2/1', groups: { rest: '9/2' } }), row({ at: '4/3', born: '2/1', seen: { 1: [2, 1], 3: [4, 5] } })];
const history = fc.tuple(fc.constantFrom(...START), fc.array(write, { maxLength: 25 }));

describe('merging', () => {
  it('is commutative, associative and idempotent', () => {
    fc.assert(fc.property(history, ([start, steps]) => {
      const [a, b, c] = reach(start, steps).states as [Image, Image, Image];
      expect(join(a, b)).toEqual(join(b, a));
      expect(join(join(a, b), c)).toEqual(join(a, join(b, c)));
      expect(join(a, a)).toEqual(a);
      expect(join(join(a, b), b)).toEqual(join(a, b));
    }), { numRuns: 600 });
  });

  it('of every state on the way is the merge of the last ones: a local write leads upwards', () => {
    fc.assert(fc.property(history, ([start, steps]) => {
      const { states, all } = reach(start, steps);
      const last = states.reduce(join);
      for (const state of all) expect(join(last, state)).toEqual(last);
    }), { numRuns: 600 });
  });
});

const act = fc.record({
  side: fc.constantFrom(0, 1), kind: fc.constantFrom('insert', 'update', 'update', 'update', 'delete', 'set-aside'),
  clockMs: fc.integer({ min: 1, max: 9 }), set: write.map(({ set }) => set), deliver: fc.integer({ min: 0, max: 3 }),
});

interface Here { row: Image | null; tombstone: Version | null }

function receive(here: Here, arrives: Change): void {
  const local = { version: here.row === null ? null : versionIn(here.row), tombstone: here.row === null ? here.tombstone : null, merge: here.row === null ? null : mergeIn(here.row) };
  const resolution = resolve(RIDES, arrives, needsImage(RIDES, arrives, local) ? { ...local, image: here.row } : local);
  if ((resolution.kind !== 'apply' && resolution.kind !== 'conflict') || resolution.image === undefined) return;
  here.row = resolution.image;
  if (resolution.image === null) here.tombstone = resolution.version;
}

/** One row in two regions: what each sends, in its order. */
function live(steps: readonly (typeof act extends fc.Arbitrary<infer T> ? T : never)[]): { regions: Here[]; sent: Change[][] } {
  const regions: Here[] = [{ row: null, tombstone: null }, { row: null, tombstone: null }];
  const sent: Change[][] = [[], []];
  const seen = [0, 0];
  for (const { side: at, kind, clockMs, set, deliver } of steps) {
    const here = regions[at]!;
    const stamp = { clock: packHlc(clockMs, 0), origin: at + 1 };
    for (let i = 0; i < deliver; i += 1) {
      const arrives = sent[1 - at]![seen[at]!];
      if (arrives !== undefined) receive(here, arrives);
      if (arrives !== undefined) seen[at]! += 1;
    }
    const before = here.row;
    if (kind === 'insert' && before === null) {
      here.row = inserted(RIDES, { ...row({ at: '0/0' }), ...set }, stamp, here.tombstone);
      sent[at]!.push(change('c', { after: here.row }));
    } else if (kind === 'update' && before !== null) {
      try {
        here.row = updated(RIDES, before, set, stamp);
        sent[at]!.push(change('u', { before, after: here.row }));
      } catch (e) {
        if (!(e instanceof Refused)) throw e;
      }
    } else if (before !== null && kind !== 'insert') {
      const born = stateOf(before).born;
      here.tombstone = kind === 'delete' ? tombstoneOf(before, stamp, here.tombstone) : ({ hlc: born.hlc + 1n, origin: 0 } as Version);
      here.row = null;
      sent[at]!.push({ ...change('d', { before: kind === 'delete' ? before : null, at: '0/0' }), version: here.tombstone });
    }
  }
  for (const at of [0, 1]) for (const arrives of sent[1 - at]!.slice(seen[at])) receive(regions[at]!, arrives);
  return { regions, sent };
}

describe('a row with births, updates, deletes and set-asides', () => {
  it('is the same in both regions at any pace', () => {
    fc.assert(fc.property(fc.array(act, { maxLength: 25 }), (steps) => {
      const { regions: [east, west] } = live(steps);
      expect(east!.row).toEqual(west!.row);
    }), { numRuns: 1500 });
  });

  it('is the same in any order of arrival, however often each change arrives', () => {
    fc.assert(fc.property(fc.array(act, { maxLength: 20 }), fc.infiniteStream(fc.nat()), (steps, random) => {
      const { regions: [east], sent } = live(steps);
      const all = sent.flat().flatMap((arrives) => ((random.next().value ?? 0) % 3 === 0 ? [arrives, arrives] : [arrives]));
      const third: Here = { row: null, tombstone: null };
      for (const { arrives } of all.map((each) => ({ arrives: each, at: random.next().value ?? 0 })).toSorted((a, b) => a.at - b.at)) receive(third, arrives);
      expect(third.row).toEqual(east!.row);
    }), { numRuns: 1500 });
  });
});
