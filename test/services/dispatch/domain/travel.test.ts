/** Claims of the travel model and of the promise made from it. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { greatCircleM } from '../../../../shared/unit/place.ts';
import { decidePromise } from '../../../../services/dispatch/domain/promise.ts';
import { greatCircleTravel } from '../../../../services/dispatch/domain/travel.ts';

const travel = greatCircleTravel({ averageSpeedKmph: 24, streetFactor: 1.3, speedFactor: 1 });
const place = fc.record({
  lat: fc.double({ min: 40.6, max: 40.9, noNaN: true }),
  lon: fc.double({ min: -74.1, max: -73.8, noNaN: true }),
});

describe('great-circle travel', () => {
  test('a degree of latitude is 111.2 km', () => {
    expect(greatCircleM({ lat: 40, lon: -74 }, { lat: 41, lon: -74 })).toBeCloseTo(111_195, 0);
  });

  test('a stop on the way never makes a route faster', () => {
    fc.assert(fc.property(place, place, place, (a, b, c) => {
      expect(travel.durationMs(a, b) + travel.durationMs(b, c)).toBeGreaterThanOrEqual(travel.durationMs(a, c) - 1);
    }));
  });

  test('nothing beyond reach is reached: the prescreen is a true bound', () => {
    fc.assert(fc.property(place, place, fc.integer({ min: 0, max: 600_000 }), (a, b, ms) => {
      if (greatCircleM(a, b) > travel.reachM(ms) + 1e-6) expect(travel.durationMs(a, b)).toBeGreaterThan(ms);
    }));
  });

  test('the speed factor divides durations and leaves distances alone', () => {
    const fast = greatCircleTravel({ averageSpeedKmph: 24, streetFactor: 1.3, speedFactor: 30 });
    fc.assert(fc.property(place, place, (a, b) => {
      expect(fast.distanceM(a, b)).toBe(travel.distanceM(a, b));
      expect(Math.abs(fast.durationMs(a, b) - travel.durationMs(a, b) / 30)).toBeLessThanOrEqual(1);
    }));
  });
});

test('a promise is the wait limit for the pick-up, and the direct ride plus the detour limit for the arrival', () => {
  expect(decidePromise({ requestedMs: 1_000_000, directMs: 420_000, waitLimitMs: 300_000, detourLimitMs: 600_000 })).toEqual({
    latestPickupMs: 1_300_000,
    latestArrivalMs: 2_020_000,
  });
});
