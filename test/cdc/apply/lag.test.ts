/** The ring keeps ten minutes and no more than its limit. */
import { expect, it } from 'vitest';
import { LAG_SAMPLES_MAX, LAG_WINDOW_MS, LagRing, parseServerTime } from '../../../cdc/apply/lag.ts';

it('forgets what is older than its window', () => {
  const ring = new LagRing();
  for (let atMs = 0; atMs <= LAG_WINDOW_MS * 3; atMs += 1000) ring.add({ atMs, lagMs: 1, partition: 0 });
  const kept = ring.since(0);
  expect(kept[0]?.atMs).toBe(LAG_WINDOW_MS * 2);
  expect(ring.since(LAG_WINDOW_MS * 3)).toEqual([ring.last]);
});

it('never holds more than its limit', () => {
  const ring = new LagRing();
  for (let i = 0; i < LAG_SAMPLES_MAX + 500; i += 1) ring.add({ atMs: 1, lagMs: i, partition: 0 });
  expect(ring.since(0)).toHaveLength(LAG_SAMPLES_MAX);
  expect(ring.since(0)[0]?.lagMs).toBe(500);
});

it('reads the server’s clock as UTC, to the millisecond', () => {
  expect(parseServerTime('2026-01-31 12:34:56.123456')).toBe(Date.UTC(2026, 0, 31, 12, 34, 56, 123));
});
