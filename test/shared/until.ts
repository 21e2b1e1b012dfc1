/** Awaits a condition that has no event: polls it, and fails by a deadline instead of sleeping and hoping. */
import { sleep } from '../../shared/kernel/deadline.ts';

const POLL_MS = 10;

/** Throws the last error, or says what was awaited. A condition that throws counts as not yet true. */
export async function until(what: string, deadlineMs: number, condition: () => boolean | Promise<boolean>): Promise<void> {
  const endsAtMs = performance.now() + deadlineMs;
  let cause: unknown;
  while (performance.now() < endsAtMs) {
    try {
      if (await condition()) return;
    } catch (e) {
      cause = e;
    }
    await sleep(POLL_MS);
  }
  throw new Error(`${what}: not within ${deadlineMs} ms`, { cause });
}
