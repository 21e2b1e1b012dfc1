/** Units: stable, evenly spread, and written one way. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { packId, EPOCH_MS } from '../../../shared/id/id-layout.ts';
import { Regions } from '../../../shared/kernel/region.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { formatUnit, initialHome, parseUnit, UNIT_COUNT, unitOfAccount, unitOfPlace, unitOfZone, zoneOf } from '../../../shared/unit/unit.ts';

const place = fc.record({
  lat: fc.double({ min: -90, max: 90, noNaN: true }),
  lon: fc.double({ min: -180, max: 180, noNaN: true }),
});

test('every place on Earth has a zone, and its unit follows from the zone alone', () => {
  fc.assert(
    fc.property(place, (p) => {
      expect(zoneOf(p)).toMatch(/^[0-9a-f]{15}$/);
      expect(unitOfPlace(p)).toBe(unitOfZone(zoneOf(p)));
      expect(unitOfPlace(p)).toBeLessThan(UNIT_COUNT);
    }),
  );
});

// Stored rows carry these: a change here is a migration, not a refactoring.
test('the mapping is what it has always been', () => {
  expect(zoneOf({ lat: 40.758, lon: -73.9855 })).toBe('882a100d67fffff');
  expect(unitOfPlace({ lat: 40.758, lon: -73.9855 })).toBe(45);
  expect([1n, 42n, 2n ** 63n - 1n].map(unitOfAccount)).toEqual([0, 18, 22]);
});

test.each([{ lat: 91, lon: 0 }, { lat: 0, lon: 181 }, { lat: Number.NaN, lon: 0 }, { lat: 0, lon: Infinity }])('%o is no place', (p) => {
  expect(() => zoneOf(p)).toThrow(TandemError);
});

test.each([
  ['counted up from 1', (at: number) => BigInt(at + 1)],
  ['made by a generator', (at: number) => packId({ ms: EPOCH_MS + at * 37, region: 1, node: 3, sequence: 0 })],
])('accounts %s spread over all units: none has less than half or more than twice its share', (_, idOf) => {
  const counts = Array.from({ length: UNIT_COUNT }, () => 0);
  for (let at = 0; at < 6_400; at += 1) counts[unitOfAccount(idOf(at))]! += 1;
  expect(Math.min(...counts)).toBeGreaterThan(50);
  expect(Math.max(...counts)).toBeLessThan(200);
});

test('a unit is written with two digits and read back', () => {
  for (let unit = 0; unit < UNIT_COUNT; unit += 1) expect(parseUnit(formatUnit(unit))).toBe(unit);
  expect(formatUnit(7)).toBe('07');
});

test.each(['', '7', '64', '99', '007', '-1', ' 7', 'xx'])('"%s" is no unit', (text) => {
  expect(() => parseUnit(text)).toThrow(TandemError);
});

test('in the beginning the first region is home of the even units, the second of the odd ones', () => {
  const regions = Regions.parse('east=1,west=2');
  expect([0, 1, 62, 63].map((unit) => initialHome(unit, regions))).toEqual(['east', 'west', 'east', 'west']);
});
