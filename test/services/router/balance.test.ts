/** The balancing rules as properties: who gets the traffic, whatever the figures are. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialHealth, observeProbe } from '../../../services/router/domain/health.ts';
import type { Health } from '../../../services/router/domain/health.ts';
import { Instance } from '../../../services/router/domain/instance.ts';
import { SmoothRoundRobin } from '../../../services/router/domain/round-robin.ts';
import { SAMPLES_MAX, SampleWindow, WINDOW_MS } from '../../../services/router/domain/sample-window.ts';
import { nextWeight, slowStartFactor, SLOW_START_MS, TRICKLE_WEIGHT, WEIGHT_MAX, weightOf } from '../../../services/router/domain/weight.ts';

const latencyMs = fc.double({ min: 0, max: 20_000, noNaN: true });

describe('weight', () => {
  it('follows clamp(100 * base / (p95 + 100), 1, 100) * success rate', () => {
    expect(weightOf({ p95Ms: 0, successRate: 1 })).toBe(100);
    expect(weightOf({ p95Ms: 100, successRate: 1 })).toBe(50);
    expect(weightOf({ p95Ms: 100, successRate: 0.8 })).toBeCloseTo(40);
    expect(weightOf({ p95Ms: 60_000, successRate: 1 })).toBe(1);
  });

  it('a failing fast instance never gets most of the traffic', () => {
    const failing = fc.record({ p95Ms: latencyMs, successRate: fc.double({ min: 0, max: 0.499, noNaN: true }) });
    const working = fc.record({ p95Ms: latencyMs, successRate: fc.double({ min: 0.99, max: 1, noNaN: true }) });
    fc.assert(fc.property(failing, working, (bad, good) => weightOf(bad) < weightOf(good)));
  });

  it('no weight is ever 0, and none is above the maximum', () => {
    const any = fc.record({ p95Ms: latencyMs, successRate: fc.double({ min: 0, max: 1, noNaN: true }) });
    fc.assert(fc.property(any, (summary) => weightOf(summary) >= TRICKLE_WEIGHT && weightOf(summary) <= WEIGHT_MAX));
  });

  it('stands still without samples', () => {
    expect(nextWeight(37, null)).toBe(37);
  });

  it('slow start rises in a line from a tenth to all', () => {
    expect(slowStartFactor(0)).toBeCloseTo(0.1);
    expect(slowStartFactor(SLOW_START_MS / 2)).toBeCloseTo(0.55);
    expect(slowStartFactor(10 * SLOW_START_MS)).toBe(1);
  });
});

describe('smooth weighted round-robin', () => {
  it('gives every item the share of its weight, to within one pick, at any moment', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 });
    fc.assert(fc.property(weights, fc.integer({ min: 1, max: 500 }), (all, picks) => {
      const candidates = all.map((weight, i) => ({ item: { i }, weight }));
      const total = all.reduce((a, b) => a + b, 0);
      const count = all.map(() => 0);
      const balancer = new SmoothRoundRobin<{ i: number }>();
      for (let n = 0; n < picks; n += 1) {
        const picked = balancer.pick(candidates);
        count[picked?.i as number] = (count[picked?.i as number] ?? 0) + 1;
      }
      // The known bound of this algorithm: below one pick per item from the exact share.
      for (const [i, weight] of all.entries()) {
        expect(Math.abs((count[i] as number) - (picks * weight) / total)).toBeLessThan(all.length);
      }
    }));
  });

  it('spreads picks evenly: 5, 1, 1 never sends the heavy one five in a row', () => {
    const [a, b, c] = [{ n: 'a' }, { n: 'b' }, { n: 'c' }];
    const balancer = new SmoothRoundRobin<{ n: string }>();
    const candidates = [{ item: a, weight: 5 }, { item: b, weight: 1 }, { item: c, weight: 1 }];
    expect(Array.from({ length: 7 }, () => balancer.pick(candidates)?.n).join('')).toBe('aabacaa');
  });

  it('picks nothing from nobody', () => {
    expect(new SmoothRoundRobin().pick([])).toBeUndefined();
  });
});

describe('health', () => {
  it('three failures in a row take an instance out, two with a success between do not', () => {
    expect(observe('xx').state).toBe('healthy');
    expect(observe('xx.xx').state).toBe('healthy');
    expect(observe('xxx').state).toBe('unhealthy');
  });

  it('two successes in a row bring it back, and it remembers when', () => {
    expect(observe('xxx.').state).toBe('unhealthy');
    expect(observe('xxx.x.').state).toBe('unhealthy');
    expect(observe('xxx..')).toMatchObject({ state: 'healthy', recoveredAtMs: 5, sinceMs: 5 });
  });

  it('is unhealthy exactly after the last run of three failures not yet followed by two successes', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('.', 'x'), maxLength: 40 }), (text) => {
      let expected = 'healthy';
      for (let i = 1; i <= text.length; i += 1) {
        const seen = text.slice(0, i);
        if (expected === 'healthy' && seen.endsWith('xxx')) expected = 'unhealthy';
        else if (expected === 'unhealthy' && seen.endsWith('..')) expected = 'healthy';
      }
      expect(observe(text).state).toBe(expected);
    }));
  });
});

describe('an instance', () => {
  it('keeps its last weight through a quiet time, and starts slowly after a fall', () => {
    const instance = new Instance('dispatch', '127.0.0.1:1', 0);
    for (let i = 0; i < 20; i += 1) instance.record({ atMs: 1_000, latencyMs: 100, ok: true });
    instance.recompute(5_000);
    expect(instance.weight).toBe(50);
    instance.recompute(5_000 + 2 * WINDOW_MS);
    expect(instance.weight).toBe(50);
    for (const outcome of ['failed', 'failed', 'failed', 'ok', 'ok'] as const) instance.observeProbe(outcome, 100_000);
    expect(instance.share(100_000)).toBeCloseTo(5);
    expect(instance.share(100_000 + SLOW_START_MS)).toBe(50);
  });
});

describe('the sample window', () => {
  it('is bounded and only sees its span', () => {
    const window = new SampleWindow();
    for (let i = 0; i < 3 * SAMPLES_MAX; i += 1) window.add({ atMs: i, latencyMs: i, ok: i % 2 === 0 });
    const summary = window.summarize(3 * SAMPLES_MAX);
    expect(summary?.count).toBe(SAMPLES_MAX);
    expect(summary?.successRate).toBe(0.5);
    expect(window.summarize(10 * WINDOW_MS)).toBeNull();
  });
});

/** A dot is a good probe, an x a failed one. */
function observe(text: string): Health {
  return [...text].reduce((health, c, i) => observeProbe(health, c === '.' ? 'ok' : 'failed', i + 1), initialHealth(0));
}
