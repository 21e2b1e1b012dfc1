/**
 * One scenario from start to verdict: a replay runs, the fault strikes in the middle of it, all comes back, the
 * checkers judge.
 *
 * It starts nothing itself: the stack, the replay and the supervision are given.
 */
import type { Database } from '../shared/mysql/database.ts';
import { outage } from './faults/outage.ts';
import type { ProcessControl } from './faults/outage.ts';
import { judge } from './judge.ts';
import type { Verdict } from './judge.ts';
import type { Scenario } from './scenario.ts';
import type { ReplayProgress } from './workloads/journal.ts';
import type { ReplayReport } from './workloads/replay.ts';

export type ScenarioReport = { readonly struckAt: ReplayProgress; readonly awayMs: number; readonly replay: ReplayReport; readonly verdict: Verdict };

export async function runScenario(options: {
  scenario: Scenario;
  region: string;
  control: ProcessControl;
  databases: ReadonlyMap<string, Database>;
  replay: (onProgress: (progress: ReplayProgress) => void) => Promise<ReplayReport>;
  compare: () => Promise<{ rowsCompared: number; rowsDifferent: number }>;
  onStep: (step: string) => void;
  onProgress?: (progress: ReplayProgress) => void;
}): Promise<ScenarioReport> {
  const { scenario, region, onStep } = options;
  const names = scenario.processes.map((name) => `${name}-${region}`);
  const due = Promise.withResolvers<ReplayProgress>();
  const replaying = options.replay((progress) => {
    options.onProgress?.(progress);
    if (progress.completed + progress.rejected >= progress.requested * scenario.afterShare) due.resolve(progress);
  });
  replaying.catch((cause: unknown) => due.reject(cause as Error));
  const struckAt = await due.promise;
  onStep(`killing ${names.join(', ')} for ${scenario.outageS} s, with ${struckAt.active} rides under way`);
  const awayMs = await outage(options.control, names, { outageS: scenario.outageS });
  onStep(`${names.join(', ')} back after ${(awayMs / 1_000).toFixed(1)} s; the replay goes on`);
  const replay = await replaying;
  onStep('comparing both regions');
  const verdict = await judge({ databases: options.databases, rides: replay.rides, compare: options.compare });
  return { struckAt, awayMs, replay, verdict };
}
