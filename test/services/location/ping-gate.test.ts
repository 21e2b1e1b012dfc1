/** Which pings are believed. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { greatCircleM } from '../../../shared/unit/place.ts';
import { CLOCK_SKEW_MS_MAX, CONFIRM_SPAN_MS, NOISE_M, PingGate, SPEED_MPS_MAX } from '../../../services/location/domain/ping-gate.ts';
import { TokenBucket } from '../../../services/location/domain/token-bucket.ts';

const NOW = Date.UTC(2026, 0, 5, 12);
const HOME = { lat: 40.75, lon: -73.98 };
/** Some metres north of home. */
const north = (metres: number) => ({ lat: HOME.lat + metres / 111_195, lon: HOME.lon });
const judge = (gate: PingGate, ping: { lat: unknown; lon: unknown; at?: unknown }, atMs = NOW, speedFactor = 1) => {
  const verdict = gate.judge(ping, { nowMs: atMs, speedFactor });
  return verdict.kind === 'accepted' ? 'accepted' : verdict.code;
};

describe('a ping', () => {
  test.each([
    [{ lat: 90.1, lon: 0 }, 'ping-out-of-range'],
    [{ lat: 0, lon: -180.5 }, 'ping-out-of-range'],
    [{ lat: '40', lon: 0 }, 'ping-out-of-range'],
    [{ lat: Number.NaN, lon: 0 }, 'ping-out-of-range'],
    [{ lat: undefined, lon: 0 }, 'ping-out-of-range'],
    [{ ...HOME, at: 'yesterday' }, 'ping-malformed'],
    [{ ...HOME, at: {} }, 'ping-malformed'],
    [{ ...HOME, at: '2026-01-05 12:00:00' }, 'ping-malformed'],
    [{ ...HOME, at: new Date(NOW + CLOCK_SKEW_MS_MAX + 1).toISOString() }, 'ping-clock'],
    [{ ...HOME, at: new Date(NOW - CLOCK_SKEW_MS_MAX - 1).toISOString() }, 'ping-clock'],
    [{ ...HOME, at: new Date(NOW - CLOCK_SKEW_MS_MAX).toISOString() }, 'accepted'],
    [{ ...HOME, at: NOW + 5 }, 'accepted'],
    [{ ...HOME }, 'accepted'],
  ])('%j is %s', (ping, outcome) => expect(judge(new PingGate(), ping)).toBe(outcome));

  test('never tells a time later than the server saw it', () => {
    const verdict = new PingGate().judge({ ...HOME, at: NOW + 30_000 }, { nowMs: NOW, speedFactor: 1 });
    expect(verdict).toMatchObject({ kind: 'accepted', atMs: NOW });
  });

  test('from before one already taken is refused, at the same moment it is not', () => {
    const gate = new PingGate();
    expect(judge(gate, { ...HOME, at: NOW })).toBe('accepted');
    expect(judge(gate, { ...HOME, at: NOW - 1 })).toBe('ping-out-of-order');
    expect(judge(gate, { ...HOME, at: NOW })).toBe('accepted');
  });

  test('may be as far as a car drives in the time, and no further; a faster world stretches that', () => {
    const reach = SPEED_MPS_MAX * 10 + NOISE_M;
    for (const [metres, speedFactor, outcome] of [[reach - 5, 1, 'accepted'], [reach + 5, 1, 'ping-jump'], [reach * 10, 20, 'accepted']] as const) {
      const gate = new PingGate();
      judge(gate, HOME, NOW);
      expect(judge(gate, north(metres), NOW + 10_000, speedFactor)).toBe(outcome);
    }
  });

  test('that is noise does not keep the true ones out', () => {
    const gate = new PingGate();
    expect(judge(gate, HOME, NOW)).toBe('accepted');
    expect(judge(gate, north(50_000), NOW + 1_000)).toBe('ping-jump');
    expect(judge(gate, north(20), NOW + 2_000)).toBe('accepted');
  });

  test('that disagrees with the first one is believed once it is confirmed for long enough', () => {
    const gate = new PingGate();
    judge(gate, HOME, NOW);
    const far = (metres: number, afterMs: number) => judge(gate, north(50_000 + metres), NOW + 1_000 + afterMs);
    expect(far(0, 0)).toBe('ping-jump');
    expect(far(10, 100)).toBe('ping-jump');
    expect(far(20, 200)).toBe('ping-jump'); // three of them, but all at once
    expect(far(40, CONFIRM_SPAN_MS)).toBe('accepted');
    expect(judge(gate, HOME, NOW + 6_000)).toBe('ping-jump');
  });

  test('never makes a driver faster than a car, whatever is sent, unless a jump was confirmed', () => {
    const pings = fc.array(fc.record({ metres: fc.integer({ min: -20_000, max: 20_000 }), afterMs: fc.integer({ min: 0, max: CONFIRM_SPAN_MS / 40 }) }), { maxLength: 39 });
    fc.assert(fc.property(pings, (sent) => {
      const gate = new PingGate();
      let nowMs = NOW;
      let last: { lat: number; lon: number; atMs: number } | undefined;
      for (const { metres, afterMs } of sent) {
        nowMs += afterMs;
        const verdict = gate.judge(north(metres), { nowMs, speedFactor: 1 });
        if (verdict.kind === 'refused') continue;
        if (last !== undefined) {
          const seconds = Math.max(1, (verdict.atMs - last.atMs) / 1_000);
          expect(greatCircleM(last, verdict.place)).toBeLessThanOrEqual(SPEED_MPS_MAX * seconds + NOISE_M);
        }
        last = { ...verdict.place, atMs: verdict.atMs };
      }
    }));
  });
});

test('a token bucket grants its burst, then its rate, and nothing for a clock that steps back', () => {
  const bucket = new TokenBucket({ burst: 2, perSecond: 1, nowMs: 0 });
  expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([true, true, false]);
  expect([bucket.take(1_000), bucket.take(1_000)]).toEqual([true, false]);
  expect([bucket.take(-5_000), bucket.take(-4_500)]).toEqual([false, false]);
});
