/**
 * Says now and then how far a replay is.
 */
import type { ReplayProgress } from '../../chaos/workloads/journal.ts';
import type { Say } from './console.ts';

const EVERY_MS = 5_000;

export function progressTeller(say: Say): (progress: ReplayProgress) => void {
  let lastMs = 0;
  return ({ requested, started, completed, rejected, active }) => {
    const nowMs = performance.now();
    if (nowMs - lastMs < EVERY_MS) return;
    lastMs = nowMs;
    say(`rides: ${started}/${requested} booked, ${active} under way, ${completed} completed, ${rejected} rejected`);
  };
}
