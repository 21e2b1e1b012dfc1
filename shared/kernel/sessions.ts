/**
 * Runs sessions one after the other, for as long as they are wanted: work that has no end of its own and is begun anew
 * whenever it fails.
 *
 * Invariant: it ends only with the signal, and never throws. The pause between sessions doubles up to a limit and starts
 * small again after a session that lasted longer than that limit.
 */
import { sleep } from './deadline.ts';

export interface SessionPolicy {
  readonly signal: AbortSignal;
  /** ms before the second session, and at most between any two. */
  readonly backoffMs: { readonly first: number; readonly max: number };
  /** Runs one session until it fails or the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Told of each failure, but not of the abort. */
  readonly onFailure: (error: unknown) => void;
}

export async function runSessions({ signal, backoffMs, run, onFailure }: SessionPolicy): Promise<void> {
  let pauseMs = backoffMs.first;
  while (!signal.aborted) {
    const startedMs = performance.now();
    try {
      await run(signal);
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
    }
    if (performance.now() - startedMs > backoffMs.max) pauseMs = backoffMs.first;
    await sleep(pauseMs, signal).catch(() => {}); // the abort ends the loop
    pauseMs = Math.min(pauseMs * 2, backoffMs.max);
  }
}
