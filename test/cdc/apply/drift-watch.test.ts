/** A region whose clock is far ahead is counted and named once a minute; its changes are not withheld. */
import { expect, it } from 'vitest';
import { DriftWatch } from '../../../cdc/apply/drift-watch.ts';
import type { Change } from '../../../cdc/change/envelope.ts';
import { packHlc } from '../../../shared/clock/hlc.ts';
import { REGIONS, memoryLog } from '../twin.ts';

const NOW_MS = 1_800_000_000_000;
const changeAt = (ms: number) => ({ version: { hlc: packHlc(ms, 0), origin: 2 } }) as Change;

it('counts each change that is more than 500 ms ahead, and logs the region once a minute', () => {
  const log = memoryLog();
  let nowMs = NOW_MS;
  const watch = new DriftWatch({ nowMs: () => nowMs, regions: REGIONS, log });
  watch.observe(changeAt(NOW_MS + 500));
  expect(watch.changesAhead).toBe(0);
  for (let i = 0; i < 3; i += 1) watch.observe(changeAt(NOW_MS + 2_000));
  expect(watch.changesAhead).toBe(3);
  expect(log.lines).toMatchObject([{ level: 'error', fields: { region: 'west', aheadMs: 2000 } }]);
  nowMs += 60_000;
  watch.observe(changeAt(nowMs + 501));
  expect(log.lines).toHaveLength(2);
});
