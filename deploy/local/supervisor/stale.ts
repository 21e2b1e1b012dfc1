/**
 * Ends what a previous supervisor of the same state directory left running, after a crash or a kill -9 of it.
 *
 * Invariant: only processes started with this very TANDEM_STATE and a TANDEM_PROCESS name, which none but a supervisor's
 * children have, are touched, and each is told apart from a later holder of its pid by its start time. Never by program name.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import { environOf, identify, isAlive, listPids, signalProcess } from './proc.ts';
import type { ProcessIdentity } from './proc.ts';

/** Databases flush on SIGTERM; past this they are killed, and recover from their logs. */
const STOP_DEADLINE_MS = 20_000;
const POLL_MS = 50;

export interface StaleProcess extends ProcessIdentity {
  readonly name: string;
}

export function findStale(state: string): StaleProcess[] {
  return listPids().flatMap((pid) => {
    const identity = identify(pid);
    const environ = environOf(pid);
    const name = environ.get('TANDEM_PROCESS');
    if (identity === null || name === undefined || environ.get('TANDEM_STATE') !== state || pid === process.pid) return [];
    return [{ ...identity, name }];
  });
}

/** SIGTERM to all, SIGKILL to those left at the deadline; resolves with the names when all are gone. */
export async function endStale(state: string, stopDeadlineMs: number = STOP_DEADLINE_MS): Promise<string[]> {
  const found = findStale(state);
  for (const stale of found) {
    signalProcess(stale, 'SIGCONT'); // a stopped one would never see the next signal
    signalProcess(stale, 'SIGTERM');
  }
  const deadline = performance.now() + stopDeadlineMs;
  while (found.some(isAlive)) {
    if (performance.now() > deadline) for (const stale of found) signalProcess(stale, 'SIGKILL');
    await sleep(POLL_MS);
  }
  return found.map(({ name }) => name);
}
