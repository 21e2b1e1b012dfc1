/** Rings of cells bound distances from below, and the board keeps what is fresh. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { greatCircleM } from '../../../shared/unit/place.ts';
import { BUCKET_MS, BUCKET_TTL_MS, FRESH_BUCKETS, FRESH_MS, bucketOf, cellOf, ringFloorM, ringOf } from '../../../services/location/domain/cells.ts';
import { PositionBoard, SUBSCRIBERS_MAX } from '../../../services/location/domain/position-board.ts';
import type { Position } from '../../../services/location/domain/position.ts';
import { decodeBatch, decodePosition, encodeBatch, encodePosition } from '../../../services/location/store/position-codec.ts';

/** Somewhere, seen then. */
const at = (driverId: string, seenMs: number): Position => ({ driverId, lat: 1, lon: 2, atMs: seenMs, seenMs });
const lat = fc.double({ min: -66, max: 66, noNaN: true });
const lon = fc.double({ min: -179, max: 179, noNaN: true });

describe('rings of cells', () => {
  test('a place outside of rings 0 to k is at least the floor of ring k + 1 away, anywhere on the globe', () => {
    const offset = fc.double({ min: -0.05, max: 0.05, noNaN: true });
    fc.assert(fc.property(lat, lon, offset, offset, (aLat, aLon, dLat, dLon) => {
      const a = { lat: aLat, lon: aLon };
      const b = { lat: aLat + dLat, lon: aLon + dLon };
      const origin = cellOf(a);
      const target = cellOf(b);
      let k = 0;
      while (k < 30 && !ringOf(origin, k).includes(target)) k += 1;
      if (k < 30) expect(greatCircleM(a, b)).toBeGreaterThanOrEqual(ringFloorM(origin, k));
    }), { numRuns: 300 });
  });

  test('floors grow, from nothing', () => {
    const origin = cellOf({ lat: 40.75, lon: -73.98 });
    expect([ringFloorM(origin, 0), ringFloorM(origin, 1)]).toEqual([0, 0]);
    expect(ringFloorM(origin, 3)).toBeGreaterThan(ringFloorM(origin, 2));
  });

  test('a fresh position always lies in a bucket that is read and has not expired', () => {
    fc.assert(fc.property(fc.nat(10 ** 9), fc.integer({ min: 0, max: FRESH_MS }), (seenMs, ageMs) => {
      const nowMs = seenMs + ageMs;
      expect(bucketOf(nowMs) - bucketOf(seenMs)).toBeLessThan(FRESH_BUCKETS);
      // The bucket's life is renewed by every write into it, the last one being no later than its end.
      expect(nowMs).toBeLessThanOrEqual(seenMs + BUCKET_TTL_MS - BUCKET_MS);
    }));
  });
});

describe('positions', () => {
  const positions: fc.Arbitrary<Position> = fc.record({
    driverId: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String), lat, lon, atMs: fc.nat(2 ** 41), seenMs: fc.nat(2 ** 41),
  });

  test('survive the way through Redis, to a centimetre', () => {
    fc.assert(fc.property(fc.array(positions, { minLength: 1 }), (sent) => {
      const got = decodeBatch(encodeBatch(sent.map(encodePosition)));
      expect(got.map(({ driverId, atMs, seenMs }) => ({ driverId, atMs, seenMs }))).toEqual(sent.map(({ driverId, atMs, seenMs }) => ({ driverId, atMs, seenMs })));
      for (const [i, position] of got.entries()) expect(greatCircleM(position, sent[i]!)).toBeLessThan(0.02);
    }));
  });

  test('that do not parse are dropped', () => {
    for (const text of ['', '1,2', '1,x,2,3,4', '1,91,0,3,4', ',1,2,3,4', '1,1,2,3,']) {
      expect(decodePosition(text)).toBeUndefined();
    }
  });
});

describe('the board', () => {
  test('keeps the latest position, tells subscribers of news only, and forgets who is no longer fresh', () => {
    const board = new PositionBoard();
    const told: number[] = [];
    const stop = board.subscribe('7', (position) => told.push(position.seenMs));
    expect([board.put(at('7', 10)), board.put(at('7', 10)), board.put(at('7', 9)), board.put(at('7', 11))]).toEqual([true, false, false, true]);
    expect(told).toEqual([10, 11]);
    stop?.();
    board.put(at('7', 12));
    expect(told).toEqual([10, 11]);
    expect(board.fresh('7', 12 + FRESH_MS)?.seenMs).toBe(12);
    expect(board.fresh('7', 13 + FRESH_MS)).toBeUndefined();
    board.put(at('8', 100));
    board.sweep(13 + FRESH_MS);
    expect([...board.allFresh(100)].map((position) => position.driverId)).toEqual(['8']);
    expect(board.size).toBe(1);
  });

  test('has a limit on subscribers', () => {
    const board = new PositionBoard();
    for (let i = 0; i < SUBSCRIBERS_MAX; i += 1) expect(board.subscribe('7', () => {})).toBeDefined();
    expect(board.subscribe('7', () => {})).toBeUndefined();
    expect(board.subscriberCount).toBe(SUBSCRIBERS_MAX);
  });
});
