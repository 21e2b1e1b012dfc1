/** What makes `up` and `chaos` exit with 1: broken promises, regions that differ, rides without an answer; and what does not. */
import { expect, test } from 'vitest';
import type { Verdict } from '../../chaos/judge.ts';
import type { JournalRide, RideEnd } from '../../chaos/workloads/journal.ts';
import { checkReplay } from '../../deploy/local/replay-checks.ts';

const verdict = (over: Partial<Verdict> = {}): Verdict => ({
  catchUpMs: 1, rowsCompared: 10, rowsDifferent: 0, ids: { issued: 5, duplicates: 0 }, violations: [],
  promises: { boarded: 0, pickupsOnTime: 0, completed: 0, arrivalsOnTime: 0 } as Verdict['promises'], ...over,
});
const rides = (...ends: readonly (readonly [RideEnd, number])[]): JournalRide[] =>
  ends.flatMap(([end, count]) => Array.from({ length: count }, (_, i) => ({ requestId: `${end}-${i}`, riderId: '1', end })));
const failed = (options: Parameters<typeof checkReplay>[0]): string[] => checkReplay(options).checks.filter(({ held }) => !held).map(({ claim }) => claim);

test('completed, rejected and cancelled rides are answers; 95 of 100 are enough, 94 are not', () => {
  const enough = rides(['completed', 80], ['rejected', 10], ['cancelled', 5], ['unfinished', 5]);
  expect(failed({ requested: 100, rides: enough, verdict: verdict() })).toEqual([]);
  const short = rides(['completed', 94], ['unfinished', 6]);
  expect(failed({ requested: 100, rides: short, verdict: verdict() })).toEqual(['rides answered: 94.0 % (at least 95 %)']);
  expect(checkReplay({ requested: 100, rides: short, verdict: verdict() })).toMatchObject({ isWell: false, unanswered: { length: 6 } });
});

test('a ride that was never asked for counts as one without an answer', () => {
  expect(failed({ requested: 100, rides: rides(['completed', 94]), verdict: verdict() })).toEqual(['rides answered: 94.0 % (at least 95 %)']);
});

test('a broken promise, an id issued twice or a row that differs each fail it, however many rides were answered', () => {
  const well = rides(['completed', 20]);
  const broken = verdict({ violations: [{ claim: 'a ride is charged once', region: 'east', what: 'ride 7' }] });
  expect(failed({ requested: 20, rides: well, verdict: broken })).toEqual(['nothing lost, nothing doubled']);
  expect(failed({ requested: 20, rides: well, verdict: verdict({ ids: { issued: 9, duplicates: 1 } }) })).toEqual(['nothing lost, nothing doubled']);
  expect(failed({ requested: 20, rides: well, verdict: verdict({ rowsDifferent: 1 }) })).toEqual(['both regions identical']);
});

test('just below the bar never reads as if it were met', () => {
  const [claim] = failed({ requested: 10_000, rides: rides(['completed', 9_499], ['unfinished', 501]), verdict: verdict() });
  expect(claim).toContain('94.9 %');
});
