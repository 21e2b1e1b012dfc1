/** The summary counts what a replay has brought about, and nothing of what was there before. */
import { expect, test } from 'vitest';
import { rowsSince } from '../../deploy/local/summary.ts';

const counts = (east: number, west: number) => new Map([['east', east], ['west', west]]);

test('rows applied before the replay do not count', () => {
  expect(rowsSince(counts(100, 40), counts(130, 45))).toBe(35);
});

test('an apply that was killed meanwhile takes nothing away from what the other region has applied', () => {
  expect(rowsSince(counts(100, 40), counts(7, 45))).toBe(12);
});
