/** The hybrid clock under wall clocks that stall, jump and run backwards, alone and between regions. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hlcCounter, hlcMs, packHlc, COUNTER_MAX } from '../../../shared/clock/hlc.ts';
import type { Hlc } from '../../../shared/clock/hlc.ts';
import { DRIFT_LIMIT_MS, HybridClock } from '../../../shared/clock/hybrid-clock.ts';
import type { Drift } from '../../../shared/clock/hybrid-clock.ts';

const START_MS = Date.UTC(2026, 5, 1);

/** A wall clock's next movement: mostly small, now and then a leap either way, or none. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 1, arbitrary: fc.integer({ min: -10_000_000, max: 10_000_000 }) },
  { weight: 1, arbitrary: fc.constant(0) },
);
const NODE_COUNT = 3;
const node = fc.integer({ min: 0, max: NODE_COUNT - 1 });
const action = fc.oneof(
  fc.record({ kind: fc.constant('event' as const), node }),
  fc.record({ kind: fc.constant('message' as const), node, to: node }),
  fc.record({ kind: fc.constant('wall' as const), node, step }),
);

test('now() strictly increases under any wall clock', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let wallMs = START_MS;
      const clock = new HybridClock({ nowMs: () => wallMs });
      let previous = clock.now();
      for (const by of steps) {
        wallMs += by;
        const reading = clock.now();
        expect(reading > previous).toBe(true);
        expect(hlcMs(reading)).toBeGreaterThanOrEqual(wallMs);
        expect(clock.last).toBe(reading);
        previous = reading;
      }
    }),
  );
});

test('what happens after a followed message is above it, between regions of any clocks', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const walls = Array.from({ length: NODE_COUNT }, () => START_MS);
      const clocks = walls.map((_, at) => new HybridClock({ nowMs: () => walls[at] as number }));
      const latest: Hlc[] = clocks.map((clock) => clock.now());
      const tick = (at: number): Hlc => {
        const reading = (clocks[at] as HybridClock).now();
        expect(reading > (latest[at] as Hlc)).toBe(true);
        latest[at] = reading;
        return reading;
      };
      for (const act of actions) {
        if (act.kind === 'wall') walls[act.node] = (walls[act.node] as number) + act.step;
        else if (act.kind === 'event') tick(act.node);
        else {
          const sent = tick(act.node);
          const outcome = (clocks[act.to] as HybridClock).observe(sent, act.node);
          const received = tick(act.to);
          if (outcome === 'followed') expect(received > sent).toBe(true);
        }
      }
    }),
  );
});

test('a clock never runs further ahead of the highest wall time it saw than the drift limit', () => {
  const remote = fc.record({ aheadMs: fc.integer({ min: -2_000, max: 2_000 }), counter: fc.integer({ min: 0, max: COUNTER_MAX }) });
  fc.assert(
    fc.property(fc.array(fc.tuple(step, remote), { maxLength: 200 }), (turns) => {
      let wallMs = START_MS;
      let highestMs = wallMs;
      const clock = new HybridClock({ nowMs: () => wallMs });
      for (const [by, { aheadMs, counter }] of turns) {
        wallMs += by;
        highestMs = Math.max(highestMs, wallMs);
        clock.observe(packHlc(wallMs + aheadMs, counter));
        // One more: a remote counter at its end carries into the next millisecond.
        expect(hlcMs(clock.now())).toBeLessThanOrEqual(highestMs + DRIFT_LIMIT_MS + 1);
      }
    }),
  );
});

test('a reading more than 500 ms ahead is not followed, and its region is named', () => {
  const drifts: Drift[] = [];
  const clock = new HybridClock({ nowMs: () => START_MS, onDrift: (drift) => drifts.push(drift) });
  const before = clock.now();
  expect(clock.observe(packHlc(START_MS + 501, 0), 2)).toBe('too-far-ahead');
  expect(clock.last).toBe(before);
  expect(drifts).toEqual([{ aheadMs: 501, origin: 2 }]);

  expect(clock.observe(packHlc(START_MS + 500, COUNTER_MAX), 2)).toBe('followed');
  expect(drifts).toHaveLength(1);
  expect(clock.last).toBe(packHlc(START_MS + 500, COUNTER_MAX));
});

test('drift is reported exactly when it is not followed, and then changes nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: -5_000, max: 5_000 }), fc.integer({ min: 0, max: 2_000 }), (aheadMs, driftLimitMs) => {
      const drifts: Drift[] = [];
      const clock = new HybridClock({ nowMs: () => START_MS, driftLimitMs, onDrift: (drift) => drifts.push(drift) });
      const before = clock.now();
      const outcome = clock.observe(packHlc(START_MS + aheadMs, 0));
      expect(outcome).toBe(aheadMs > driftLimitMs ? 'too-far-ahead' : 'followed');
      expect(drifts).toEqual(aheadMs > driftLimitMs ? [{ aheadMs }] : []);
      expect(clock.last).toBe(aheadMs > 0 && aheadMs <= driftLimitMs ? packHlc(START_MS + aheadMs, 0) : before);
    }),
  );
});

test('a full counter carries into the milliseconds', () => {
  const clock = new HybridClock({ nowMs: () => START_MS });
  clock.observe(packHlc(START_MS, COUNTER_MAX));
  const reading = clock.now();
  expect([hlcMs(reading), hlcCounter(reading)]).toEqual([START_MS + 1, 0]);
});

test('65,536 readings within one stalled millisecond stay in order and end one millisecond ahead', () => {
  const clock = new HybridClock({ nowMs: () => START_MS });
  const first = clock.now();
  let last = first;
  for (let i = 0; i <= COUNTER_MAX; i += 1) last = clock.now();
  expect(last - first).toBe(65_536n);
  expect(hlcMs(last)).toBe(START_MS + 1);
});
