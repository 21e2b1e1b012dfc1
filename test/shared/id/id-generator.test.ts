/**
 * Ids stay unique and increasing whatever clocks do. The model of the second half is all that leased-ids relies on: a
 * register for each number, moved forward by compare-and-swap before a window is used.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdGenerator } from '../../../shared/id/id-generator.ts';
import { END_MS, EPOCH_MS, SEQUENCE_MAX, unpackId } from '../../../shared/id/id-layout.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';

const START_MS = Date.UTC(2026, 5, 1);
const WINDOW_MS = 60_000;
const exhausted = expect.toSatisfy((e) => isTandemError(e, 'id-window-exhausted') && e.retryable);

/** Stalls, ordinary time, steps back and steps forward, within and far beyond a window. */
const clockStep = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 30 }) },
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -2 * WINDOW_MS, max: 2 * WINDOW_MS }) },
  { weight: 1, arbitrary: fc.integer({ min: -40 * 24 * 3_600_000, max: 40 * 24 * 3_600_000 }) },
);
/** Some turns issue more ids than a millisecond has. */
const burst = fc.oneof({ weight: 12, arbitrary: fc.integer({ min: 1, max: 8 }) }, { weight: 1, arbitrary: fc.constant(SEQUENCE_MAX + 3) });

/** Issues up to `count` ids; fewer where the window is used up. */
function issue(generator: IdGenerator, count: number): bigint[] {
  const ids: bigint[] = [];
  try {
    while (ids.length < count) ids.push(generator.next());
  } catch (e) {
    if (!isTandemError(e, 'id-window-exhausted')) throw e;
  }
  return ids;
}

function expectIncreasing(ids: readonly bigint[]): void {
  expect(ids.findIndex((id, at) => at > 0 && id <= (ids[at - 1] as bigint))).toBe(-1);
}

test('ids of one generator increase and stay inside its window under any clock', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(clockStep, burst), { maxLength: 60 }), (turns) => {
      let wallMs = START_MS;
      const generator = new IdGenerator({ region: 1, node: 7, nowMs: () => wallMs, floorMs: START_MS, ceilingMs: START_MS + WINDOW_MS });
      const ids: bigint[] = [];
      for (const [by, count] of turns) {
        wallMs = Math.max(0, wallMs + by);
        ids.push(...issue(generator, count));
      }
      expectIncreasing(ids);
      for (const id of [ids[0], ids.at(-1)]) {
        if (id === undefined) continue;
        const { ms, region, node } = unpackId(id);
        expect([region, node]).toEqual([1, 7]);
        expect(ms).toBeGreaterThanOrEqual(START_MS);
        expect(ms).toBeLessThan(START_MS + WINDOW_MS);
      }
    }),
    { numRuns: 200 },
  );
});

const place = fc.record({ region: fc.integer({ min: 1, max: 2 }), node: fc.integer({ min: 0, max: 1 }) });
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('issue' as const), place, count: burst }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('clock' as const), place, step: clockStep }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('extend' as const), place }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), place, handBack: fc.boolean() }) },
);

test('no id repeats over nodes, regions, restarts and clocks; each node\'s ids increase', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const world = new Map<string, Slot>();
      for (const act of actions) {
        const key = `${act.place.region}/${act.place.node}`;
        const slot = world.get(key) ?? new Slot(act.place);
        world.set(key, slot);
        if (act.kind === 'issue') slot.ids.push(...issue(slot.generator, act.count));
        else if (act.kind === 'clock') slot.wallMs = Math.max(0, slot.wallMs + act.step);
        else if (act.kind === 'extend') slot.extend();
        else slot.restart(act.handBack);
      }
      const all = [...world.values()].flatMap((slot) => slot.ids);
      expect(new Set(all).size).toBe(all.length);
      for (const slot of world.values()) expectIncreasing(slot.ids);
    }),
    { numRuns: 200 },
  );
});

/** A node number: its register in etcd, the clock of whichever host holds it, and all ids ever issued under it. */
class Slot {
  readonly ids: bigint[] = [];
  readonly place: { region: number; node: number };
  wallMs = START_MS;
  floorKeyMs = EPOCH_MS;
  generator: IdGenerator;

  constructor(at: { region: number; node: number }) {
    this.place = at;
    this.generator = this.#lease();
  }

  extend(): void {
    this.floorKeyMs = Math.max(this.floorKeyMs, Math.min(END_MS, Math.max(this.wallMs, this.generator.unusedFromMs) + WINDOW_MS));
    this.generator.extend(this.floorKeyMs);
  }

  /** A crash keeps the floor where it was reserved; a clean stop hands the unused rest back. */
  restart(handBack: boolean): void {
    if (handBack) this.floorKeyMs = Math.min(this.floorKeyMs, this.generator.unusedFromMs);
    this.generator = this.#lease();
  }

  #lease(): IdGenerator {
    const floorMs = this.floorKeyMs;
    this.floorKeyMs = Math.min(END_MS, Math.max(floorMs, this.wallMs) + WINDOW_MS);
    return new IdGenerator({ ...this.place, nowMs: () => this.wallMs, floorMs, ceilingMs: this.floorKeyMs });
  }
}

test('the 4,097th id of a stalled millisecond takes the next one', () => {
  const generator = new IdGenerator({ region: 1, node: 0, nowMs: () => START_MS, floorMs: START_MS, ceilingMs: START_MS + 2 });
  const ids = issue(generator, 4_097);
  expectIncreasing(ids);
  expect(unpackId(ids[4_095] as bigint)).toMatchObject({ ms: START_MS, sequence: 4_095 });
  expect(unpackId(ids[4_096] as bigint)).toMatchObject({ ms: START_MS + 1, sequence: 0 });
});

test('a window holds 4,096 ids a millisecond and not one more', () => {
  const generator = new IdGenerator({ region: 1, node: 0, nowMs: () => START_MS, floorMs: START_MS, ceilingMs: START_MS + 3 });
  expect(issue(generator, 20_000)).toHaveLength(3 * 4_096);
  expect(() => generator.next()).toThrow(exhausted);
  expect(generator.remainingMs).toBe(0);
});

test('a clock ahead of the window gets no ids; set right, or the window extended, it gets them again', () => {
  let wallMs = START_MS;
  const generator = new IdGenerator({ region: 1, node: 0, nowMs: () => wallMs, floorMs: START_MS, ceilingMs: START_MS + 100 });
  const first = generator.next();
  wallMs = START_MS + 100;
  expect(() => generator.next()).toThrow(exhausted);
  wallMs = START_MS + 99;
  const second = generator.next();
  wallMs = START_MS + 5_000;
  expect(() => generator.next()).toThrow(exhausted);
  generator.extend(START_MS + 10_000);
  expect(generator.remainingMs).toBe(5_000);
  expectIncreasing([first, second, generator.next()]);
});

test('a clock behind the window gets ids from its floor on', () => {
  const generator = new IdGenerator({ region: 1, node: 0, nowMs: () => 0, floorMs: START_MS, ceilingMs: START_MS + 100 });
  expect(unpackId(generator.next())).toMatchObject({ ms: START_MS, sequence: 0 });
});

test('what is handed back has not been used', () => {
  let wallMs = START_MS;
  const generator = new IdGenerator({ region: 1, node: 0, nowMs: () => wallMs, floorMs: START_MS, ceilingMs: START_MS + 100 });
  expect(generator.unusedFromMs).toBe(START_MS);
  wallMs += 10;
  generator.next();
  expect(generator.unusedFromMs).toBe(START_MS + 11);
  issue(generator, SEQUENCE_MAX);
  expect(generator.unusedFromMs).toBe(START_MS + 11);
});
