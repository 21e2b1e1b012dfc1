/** What every fare obeys, whatever the card and the trip. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { apportion, roundHalfUp } from '../../../services/pricing/domain/apportion.ts';
import type { FareCard } from '../../../services/pricing/domain/fare-card.ts';
import { priceTrip } from '../../../services/pricing/domain/fare.ts';
import type { Trip } from '../../../services/pricing/domain/fare.ts';

const NEW_YORK: FareCard = {
  version: 1, effectiveFromMs: 0, currency: 'USD', baseCents: 255, perKmCents: 109, perMinuteCents: 35, minimumCents: 800,
  extraSeatPermille: 150, poolingDiscountPermille: 250, taxPermille: 89, commissionPermille: 200,
};
const permille = fc.integer({ min: 0, max: 1_000 });
const cents = fc.integer({ min: 0, max: 10_000 });
const cards: fc.Arbitrary<FareCard> = fc.record({
  version: fc.nat(), effectiveFromMs: fc.constant(0), currency: fc.constant('USD'), baseCents: cents, perKmCents: cents, perMinuteCents: cents,
  minimumCents: cents, extraSeatPermille: permille, poolingDiscountPermille: permille, taxPermille: permille, commissionPermille: permille,
});
const trips: fc.Arbitrary<Trip> = fc.record({
  distanceM: fc.integer({ min: 0, max: 500_000 }), durationS: fc.integer({ min: 0, max: 86_400 }), seats: fc.integer({ min: 1, max: 4 }),
  riding: fc.constantFrom('solo', 'pooled'),
});

describe('a fare', () => {
  test('is the sum of its lines, and of what driver, platform and state get, to the cent', () => {
    fc.assert(fc.property(cards, trips, (card, trip) => {
      const fare = priceTrip(card, trip);
      expect(fare.lines.reduce((sum, line) => sum + line.cents, 0)).toBe(fare.fareCents);
      expect(fare.driverCents + fare.commissionCents + fare.taxCents).toBe(fare.fareCents);
      for (const amount of [fare.fareCents, fare.driverCents, fare.commissionCents, fare.taxCents]) {
        expect(Number.isSafeInteger(amount) && amount >= 0).toBe(true);
      }
    }), { numRuns: 2_000 });
  });

  test('is never higher pooled than solo, for the same trip and seats', () => {
    fc.assert(fc.property(cards, trips, (card, trip) => {
      const pooled = priceTrip(card, { ...trip, riding: 'pooled' }).fareCents;
      expect(pooled).toBeLessThanOrEqual(priceTrip(card, { ...trip, riding: 'solo' }).fareCents);
    }), { numRuns: 2_000 });
  });

  test('never falls when the trip gets longer, slower or fuller', () => {
    fc.assert(fc.property(cards, trips, fc.nat(5_000), fc.nat(600), (card, trip, moreM, moreS) => {
      const fareCents = priceTrip(card, trip).fareCents;
      expect(priceTrip(card, { ...trip, distanceM: trip.distanceM + moreM, durationS: trip.durationS + moreS }).fareCents).toBeGreaterThanOrEqual(fareCents);
      expect(priceTrip(card, { ...trip, seats: trip.seats + 1 }).fareCents).toBeGreaterThanOrEqual(fareCents);
    }));
  });

  test('is what a person computes by hand', () => {
    // 2.55 + 5 km × 1.09 + 15 min × 0.35 = 13.25; tax 8.9 % = 1.17925; 14.43 in all.
    expect(priceTrip(NEW_YORK, { distanceM: 5_000, durationS: 900, seats: 1, riding: 'solo' })).toEqual({
      fareCents: 1_443, currency: 'USD', fareCardVersion: 1, taxCents: 118, driverCents: 1_060, commissionCents: 265,
      lines: [
        { kind: 'base', label: 'Base fare', cents: 255 },
        { kind: 'distance', label: 'Distance, 5.0 km', cents: 545 },
        { kind: 'time', label: 'Time, 15 min', cents: 525 },
        { kind: 'tax', label: 'Tax', cents: 118 },
      ],
    });
  });

  test('of a short pooled ride is the minimum less the discount', () => {
    const fare = priceTrip(NEW_YORK, { distanceM: 400, durationS: 90, seats: 1, riding: 'pooled' });
    expect(fare.fareCents).toBe(653); // 8.00 − 25 % = 6.00, + 8.9 % = 6.534
    expect(fare.lines.map((line) => line.kind)).toEqual(['base', 'distance', 'time', 'minimum', 'pooling', 'tax']);
  });
});

describe('largest remainder', () => {
  test('deals the whole out, and no part is a cent or more from its exact value', () => {
    fc.assert(fc.property(fc.array(fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }), { minLength: 1, maxLength: 12 }), fc.bigInt({ min: 1n, max: 10n ** 6n }), (exact, scale) => {
      const total = roundHalfUp(exact.reduce((sum, part) => sum + part, 0n), scale);
      const parts = apportion(exact, scale, total);
      expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(total);
      for (const [i, part] of parts.entries()) {
        const off = part * scale - exact[i]!;
        expect(off > -scale && off < scale).toBe(true);
      }
    }));
  });

  test('gives the odd cent to the largest remainder, and to the earlier one among equals', () => {
    expect(apportion([15n, 16n, 19n], 10n, 5n)).toEqual([1n, 2n, 2n]);
    expect(apportion([5n, 5n], 10n, 1n)).toEqual([1n, 0n]);
    expect(apportion([25n, -15n], 10n, 1n)).toEqual([3n, -2n]);
  });

  test('rounds halves up on both sides of zero', () => {
    expect([roundHalfUp(15n, 10n), roundHalfUp(14n, 10n), roundHalfUp(-15n, 10n), roundHalfUp(-16n, 10n)]).toEqual([2n, 1n, -1n, -2n]);
  });
});
