/** Readings as values: the packing is exact, numbers sort as time does, versions never tie between regions. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareVersions, COUNTER_MAX, formatHlc, HLC_MS_MAX, hlcCounter, hlcMs, packHlc, parseHlc } from '../../../shared/clock/hlc.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

const ms = fc.integer({ min: 0, max: HLC_MS_MAX });
const counter = fc.integer({ min: 0, max: COUNTER_MAX });
const hlc = fc.tuple(ms, counter).map(([m, c]) => packHlc(m, c));
// Few values, so that ties happen.
const version = fc.record({
  hlc: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 1 })).map(([m, c]) => packHlc(m, c)),
  origin: fc.integer({ min: 1, max: 3 }),
});

test('packing keeps both parts, over the text form too', () => {
  fc.assert(
    fc.property(ms, counter, (m, c) => {
      const packed = parseHlc(formatHlc(packHlc(m, c)));
      expect([hlcMs(packed), hlcCounter(packed)]).toEqual([m, c]);
    }),
  );
});

test('readings sort as numbers by ms, then by counter', () => {
  fc.assert(
    fc.property(hlc, hlc, (a, b) => {
      const byParts = hlcMs(a) - hlcMs(b) || hlcCounter(a) - hlcCounter(b);
      expect(Math.sign(byParts)).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

test('the largest reading fills a BIGINT UNSIGNED exactly', () => {
  expect(formatHlc(packHlc(HLC_MS_MAX, COUNTER_MAX))).toBe('18446744073709551615');
});

test.each(['', '-1', '+1', '01', '1.5', '1e3', ' 1', '18446744073709551616', '99999999999999999999', 'x'])(
  '"%s" is no reading',
  (text) => {
    expect(() => parseHlc(text)).toThrow(TandemError);
  },
);

test('versions are totally ordered: one winner, the same whoever compares', () => {
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      expect(compareVersions(a, b) + compareVersions(b, a)).toBe(0);
      expect(compareVersions(a, b) === 0).toBe(a.hlc === b.hlc && a.origin === b.origin);
      if (compareVersions(a, b) >= 0 && compareVersions(b, c) >= 0) expect(compareVersions(a, c)).toBeGreaterThanOrEqual(0);
    }),
  );
});

test('at the same time the higher origin wins; a later time beats any origin', () => {
  const early = packHlc(5, 1);
  expect(compareVersions({ hlc: early, origin: 1 }, { hlc: early, origin: 2 })).toBe(-1);
  expect(compareVersions({ hlc: packHlc(5, 2), origin: 1 }, { hlc: early, origin: 2 })).toBe(1);
});
