/**
 * Kills processes and brings them back: the fault of every scenario so far.
 *
 * Invariant: whatever happens in between, each process that was taken away is given back.
 */
import { sleep } from '../../shared/kernel/deadline.ts';

/** What a fault needs of whoever supervises the processes. */
export interface ProcessControl {
  /** SIGKILL, and no restart until release(). Throws where there is no such process. */
  hold(name: string): Promise<void>;
  /** Starts it again and resolves once it is ready. */
  release(name: string): Promise<void>;
}

/** Returns how long the processes were away, in ms, until the last of them was ready again. */
export async function outage(control: ProcessControl, names: readonly string[], options: { outageS: number; signal?: AbortSignal }): Promise<number> {
  const startedMs = performance.now();
  const held: string[] = [];
  try {
    for (const name of names) {
      await control.hold(name);
      held.push(name);
    }
    await sleep(options.outageS * 1_000, options.signal);
  } finally {
    await Promise.all(held.map((name) => control.release(name)));
  }
  return performance.now() - startedMs;
}
