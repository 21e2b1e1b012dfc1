/** The figures of the SLA page, as rules: the score and its decay, alerts with their durations, counters, percentiles, parsing. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlertBook } from '../../../services/ops/domain/alerts.ts';
import { hashConfig } from '../../../services/ops/domain/config-hash.ts';
import { CounterRate } from '../../../services/ops/domain/counter-rate.ts';
import { scoreHealth } from '../../../services/ops/domain/health-score.ts';
import { parsePrometheus, sumOf } from '../../../services/ops/domain/prometheus-text.ts';
import { bucketed, percentiles, Series } from '../../../services/ops/domain/series.ts';

const PERFECT = { lagMs: 20, successRate: 1, offsetGap: 0, isConfigEqual: true };

describe('the health score', () => {
  it('is 100 when every promise is kept, to its very limit', () => {
    expect(scoreHealth(PERFECT).score).toBe(100);
    expect(scoreHealth({ lagMs: 2_000, successRate: 0.9995, offsetGap: 100, isConfigEqual: true }).score).toBe(100);
  });

  it('weighs 35, 30, 25 and 10', () => {
    expect(scoreHealth({ ...PERFECT, lagMs: 5_000 }).score).toBe(65);
    expect(scoreHealth({ ...PERFECT, successRate: 0.97 }).score).toBe(70);
    expect(scoreHealth({ ...PERFECT, offsetGap: 1_000 }).score).toBe(75);
    expect(scoreHealth({ ...PERFECT, isConfigEqual: false }).score).toBe(90);
  });

  it('falls in a line between the promise and the page', () => {
    expect(scoreHealth({ ...PERFECT, lagMs: 3_500 }).parts[0]).toMatchObject({ name: 'lag', points: 17.5, value: 3_500 });
  });

  it('what nobody measured earns nothing', () => {
    const unknown = scoreHealth({ lagMs: null, successRate: null, offsetGap: null, isConfigEqual: null });
    expect(unknown.score).toBe(0);
    expect(unknown.parts.map((part) => part.value)).toEqual([null, null, null, null]);
  });

  it('is the sum of its four parts, within 0 and 100, and never rises when a figure gets worse', () => {
    const figures = fc.record({
      lagMs: fc.double({ min: 0, max: 20_000, noNaN: true }),
      successRate: fc.double({ min: 0, max: 1, noNaN: true }),
      offsetGap: fc.nat(5_000),
      isConfigEqual: fc.boolean(),
    });
    fc.assert(fc.property(figures, fc.double({ min: 0, max: 5_000, noNaN: true }), (at, worseBy) => {
      const { score, parts } = scoreHealth(at);
      expect(parts).toHaveLength(4);
      expect(score).toBeCloseTo(parts.reduce((sum, part) => sum + part.points, 0), 5);
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(100);
      expect(scoreHealth({ ...at, lagMs: at.lagMs + worseBy }).score).toBeLessThanOrEqual(score);
      expect(scoreHealth({ ...at, offsetGap: at.offsetGap + worseBy }).score).toBeLessThanOrEqual(score);
    }));
  });
});

describe('alerts', () => {
  const calm = { deadLetters: { poison: 0, held: 0 }, schemaWaits: [], guard: { state: 'clear' as const, exposureMs: 300 } };
  const fine = { lagMs: 10, errorRate: 0, score: 100, isMeasured: true, replication: calm };

  it('pages for lag above 5 s at once, and remembers since when', () => {
    const book = new AlertBook();
    expect(book.look({ ...fine, lagMs: 5_001 }, 1_000)).toMatchObject([{ severity: 'P0', name: 'lag', sinceMs: 1_000 }]);
    expect(book.look({ ...fine, lagMs: 9_000 }, 2_000)).toMatchObject([{ sinceMs: 1_000 }]);
    expect(book.look(fine, 3_000)).toEqual([]);
  });

  it('errors above 3 % count only after two whole minutes; one good look starts anew', () => {
    const book = new AlertBook();
    const bad = { ...fine, errorRate: 0.031 };
    expect(book.look(bad, 0)).toEqual([]);
    expect(book.look(bad, 119_999)).toEqual([]);
    expect(book.look(bad, 120_000)).toMatchObject([{ severity: 'P1', sinceMs: 0 }]);
    book.look(fine, 121_000);
    expect(book.look(bad, 122_000)).toEqual([]);
  });

  it('a score below 90 is a P2, but not before anything was measured', () => {
    const book = new AlertBook();
    expect(book.look({ ...fine, score: 89.9 }, 0)).toMatchObject([{ severity: 'P2' }]);
    expect(new AlertBook().look({ ...fine, score: 0, isMeasured: false }, 0)).toEqual([]);
  });

  it('what waits for a person in replication is told by name; a column that is awaited only after a minute, as in a migration', () => {
    const look = (replication: Partial<typeof calm> | object, atMs = 0) => book.look({ ...fine, replication: { ...calm, ...replication } }, atMs).map(({ name }) => name);
    const book = new AlertBook();
    expect(look({ deadLetters: { poison: 1, held: 0 } })).toEqual(['dead-letters']);
    for (const [state, stands] of [['off', false], ['warning', false], ['throttling', true], ['pausing', true]] as const) {
      expect(look({ guard: { state, exposureMs: null } }), state).toEqual(stands ? ['rpo-guard'] : []);
    }
    expect(look({ schemaWaits: ['rides.note'] }, 1_000)).toEqual([]);
    expect(look({ schemaWaits: ['rides.note'] }, 61_000)).toEqual(['schema-wait']);
    expect(look({ deadLetters: null, schemaWaits: null, guard: null }, 62_000)).toEqual([]);
  });
});

describe('counters', () => {
  it('count growth, survive a restart of their process, and ignore their past', () => {
    const rate = new CounterRate();
    expect(rate.observe('a', 1_000)).toBe(0);
    expect(rate.observe('a', 1_005)).toBe(5);
    expect(rate.observe('a', 3)).toBe(3);
    expect(rate.observe('b', 7)).toBe(0);
  });

  it('the growth seen is never negative and never above the last count plus what came before a reset', () => {
    fc.assert(fc.property(fc.array(fc.nat(100)), (counts) => {
      const rate = new CounterRate();
      expect(counts.every((count) => rate.observe('x', count) >= 0)).toBe(true);
    }));
  });
});

describe('series', () => {
  it('keeps the newest, by capacity and by time', () => {
    const series = new Series(3);
    for (let i = 1; i <= 10; i += 1) series.add(i, i * 10);
    expect(series.since(0).map((point) => point.atMs)).toEqual([8, 9, 10]);
    expect(series.since(9)).toEqual([{ atMs: 10, value: 100 }]);
    expect(series.last).toEqual({ atMs: 10, value: 100 });
  });

  it('percentiles are samples, by nearest rank', () => {
    const values = Array.from({ length: 1_000 }, (_, i) => i + 1);
    expect(percentiles(values)).toEqual({ count: 1_000, p50: 500, p99: 990, p999: 999, max: 1_000 });
    expect(percentiles([7])).toEqual({ count: 1, p50: 7, p99: 7, p999: 7, max: 7 });
    expect(percentiles([])).toEqual({ count: 0, p50: null, p99: null, p999: null, max: null });
  });

  it('a bucket keeps the spike, and a silence leaves no bucket', () => {
    const points = [{ atMs: 1_000, value: 1 }, { atMs: 1_500, value: 90 }, { atMs: 1_900, value: 2 }, { atMs: 9_000, value: 5 }];
    expect(bucketed(points, 2_000)).toEqual([{ atMs: 0, p50: 2, max: 90 }, { atMs: 8_000, p50: 5, max: 5 }]);
  });
});

describe('the Prometheus text format', () => {
  it('reads labels, escapes, special values and timestamps; skips comments', () => {
    const { samples, badLines } = parsePrometheus([
      '# HELP a_total things', '# TYPE a_total counter',
      'a_total{route="/v1/{id}",text="a\\"b\\\\c\\nd",} 3 1700000000000',
      'a_total{route="x"} 4', 'b +Inf', 'c{} 1e3', '', 'd NaN',
    ].join('\n'));
    expect(badLines).toBe(0);
    expect(samples[0]).toEqual({ name: 'a_total', labels: { route: '/v1/{id}', text: 'a"b\\c\nd' }, value: 3 });
    expect(sumOf(samples, 'a_total')).toBe(7);
    expect(sumOf(samples, 'a_total', { route: 'x' })).toBe(4);
    expect(sumOf(samples, 'c')).toBe(1_000);
    expect(sumOf(samples, 'nothing')).toBeNull();
  });

  it('counts what is no sample, and reads the rest', () => {
    const { samples, badLines } = parsePrometheus('<html>\nok 1\nbad{x=1} 2\nworse{x="1" 2\nlast one\n');
    expect(samples).toEqual([{ name: 'ok', labels: {}, value: 1 }]);
    expect(badLines).toBe(4);
  });

  it('never throws, whatever it is given', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parsePrometheus(text).badLines >= 0));
  });
});

describe('the config hash', () => {
  it('is the same in whatever order the parts were read, and differs when a part does', () => {
    const parts = { regions: 'east=1,west=2', policies: new Map([['a', '1'], ['b', '2']]), migrations: ['x', 'y'] };
    const shuffled = { ...parts, policies: new Map([['b', '2'], ['a', '1']]), migrations: ['y', 'x'] };
    expect(hashConfig(shuffled)).toBe(hashConfig(parts));
    expect(hashConfig({ ...parts, migrations: ['x'] })).not.toBe(hashConfig(parts));
    expect(hashConfig({ ...parts, policies: new Map([['a', '1'], ['b', '3']]) })).not.toBe(hashConfig(parts));
  });
});
