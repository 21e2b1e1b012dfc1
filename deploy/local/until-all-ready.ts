/**
 * Watches a starting stack until all of it is ready, saying what has become ready on the way.
 *
 * Invariant: it ends: with everything ready, or with the first process that is plainly not going to be, and its own words.
 */
import path from 'node:path';
import { sleep } from '../../shared/kernel/deadline.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Say } from './console.ts';
import type { SupervisorClient } from './supervisor/client.ts';
import type { ProcessStatus } from './supervisor/managed-process.ts';
import { tailOf } from './supervisor/process-log.ts';

/** A database that recovers from a crash may take its time; a healthy start takes seconds. */
export const READY_DEADLINE_MS = 180_000;
/** A process that crashes this often before it was ever ready will not come up by itself. */
export const CRASHES_MAX = 5;
const POLL_MS = 100;
const LOG_LINES_SHOWN = 15;

/** Throws supervisor-failed with the end of the log of the process that did not come up. */
export async function untilAllReady(supervisor: SupervisorClient, { logs, say }: { logs: string; say: Say }): Promise<void> {
  const deadline = performance.now() + READY_DEADLINE_MS;
  const told = new Set<string>();
  for (let isFirst = true; ; isFirst = false) {
    const { processes } = await supervisor.view();
    if (isFirst) startAgain(supervisor, processes);
    tell(processes, { told, isFirst, say });
    const pending = processes.filter(({ state }) => state !== 'ready');
    if (pending.length === 0) return;
    const hopeless = pending.find((status) => isHopeless(status, isFirst));
    if (hopeless !== undefined) throw failure(hopeless, logs);
    if (performance.now() > deadline) throw failure(pending[0] as ProcessStatus, logs);
    await sleep(POLL_MS);
  }
}

/** What was held, stopped or given up earlier gets another chance; its outcome shows in the list. */
function startAgain(supervisor: SupervisorClient, processes: readonly ProcessStatus[]): void {
  for (const { name, state } of processes) {
    if (state === 'held' || state === 'stopped' || state === 'failed') supervisor.start(name).catch(() => {});
  }
}

function tell(processes: readonly ProcessStatus[], { told, isFirst, say }: { told: Set<string>; isFirst: boolean; say: Say }): void {
  for (const { name, state, kind, readyAfterMs } of processes) {
    if (state !== 'ready' || told.has(name)) continue;
    told.add(name);
    const took = readyAfterMs === null ? '' : ` after ${(readyAfterMs / 1_000).toFixed(1)} s`;
    // At the first look all of it may have been up for days.
    if (!isFirst) say(`${name} ${kind === 'task' ? 'done' : 'ready'}${took} (${told.size}/${processes.length})`);
  }
}

function isHopeless({ state, restarts, readyAfterMs }: ProcessStatus, isFirst: boolean): boolean {
  if (state === 'failed') return !isFirst;
  return state === 'back-off' && readyAfterMs === null && restarts >= CRASHES_MAX - 1;
}

function failure({ name, state, lastExit, reason }: ProcessStatus, logs: string): TandemError {
  const file = path.join(logs, `${name}.log`);
  const why = [lastExit === null ? null : `it last ended with ${lastExit}`, reason].filter((part) => part !== null).join('; ');
  const tail = tailOf(file, LOG_LINES_SHOWN).map((line) => `  ${line.slice(0, 300)}`).join('\n');
  return new TandemError('supervisor-failed', `${name} does not come up (${state}${why === '' ? '' : `: ${why}`}).\nThe end of ${file}:\n${tail}`, { details: { name } });
}
