/** Sessions are begun anew after a failure, more slowly each time, until nobody wants them. */
import { expect, test } from 'vitest';
import { runSessions } from '../../../shared/kernel/sessions.ts';

test('a failing session is begun anew, and each failure is told once', async () => {
  const stop = new AbortController();
  const failures: string[] = [];
  let sessions = 0;
  await runSessions({
    signal: stop.signal,
    backoffMs: { first: 1, max: 4 },
    run: async () => {
      sessions += 1;
      if (sessions === 4) stop.abort();
      throw new Error(`failure ${sessions}`);
    },
    onFailure: (error) => failures.push((error as Error).message),
  });
  expect(sessions).toBe(4);
  expect(failures).toEqual(['failure 1', 'failure 2', 'failure 3']);
});

test('an abort ends the pause at once', async () => {
  const stop = new AbortController();
  const running = runSessions({
    signal: stop.signal,
    backoffMs: { first: 60_000, max: 60_000 },
    run: () => Promise.reject(new Error('fails')),
    onFailure: () => queueMicrotask(() => stop.abort()),
  });
  await expect(running).resolves.toBeUndefined();
});
