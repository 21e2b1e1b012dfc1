/** A snapshot's rows leave at the rate that was asked for: counted against a clock that the test turns. */
import { expect, it } from 'vitest';
import { Throttle } from '../../../../cdc/capture/snapshot/throttle.ts';

it('100,000 rows at 5,000 a second take 20 seconds, in chunks of a thousand', () => {
  let nowMs = 0;
  const throttle = new Throttle(5_000, () => nowMs);
  for (let rows = 0; rows < 100_000; rows += 1_000) {
    nowMs += throttle.waitMs;
    throttle.take(1_000);
    expect(rows, 'never more than the rate and one chunk').toBeLessThanOrEqual((nowMs / 1_000) * 5_000 + 1_000);
  }
  nowMs += throttle.waitMs;
  expect(nowMs).toBeGreaterThanOrEqual(19_000);
  expect(nowMs).toBeLessThanOrEqual(20_000);
});

it('after a pause there is no burst beyond a second', () => {
  let nowMs = 0;
  const throttle = new Throttle(100, () => nowMs);
  throttle.take(100);
  nowMs = 600_000;
  let passed = 0;
  while (throttle.waitMs === 0) {
    throttle.take(10);
    passed += 10;
  }
  expect(passed).toBeLessThanOrEqual(110);
});
