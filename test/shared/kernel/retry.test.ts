/** How often retry tries again, how long it pauses, and what ends it early. */
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { pauseMs, retry } from '../../../shared/kernel/retry.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

const atOnce = { attempts: 4, baseMs: 0, maxMs: 0 };
const away = new TandemError('db-unavailable', 'away');

test('it tries again until it works, counting from 1', async () => {
  const seen: number[] = [];
  const result = await retry(async (attempt) => {
    seen.push(attempt);
    if (attempt < 3) throw away;
    return 'done';
  }, atOnce);
  expect([result, seen]).toEqual(['done', [1, 2, 3]]);
});

test('when the attempts are used up, the last error comes out as it is', async () => {
  const run = vi.fn<() => Promise<never>>().mockRejectedValue(away);
  await expect(retry(run, atOnce)).rejects.toBe(away);
  expect(run).toHaveBeenCalledTimes(4);
});

test.each([new TandemError('validation-failed', 'bad'), new Error('a fault of the code')])('%s is not tried again', async (e) => {
  const run = vi.fn<() => Promise<never>>().mockRejectedValue(e);
  await expect(retry(run, atOnce)).rejects.toBe(e);
  expect(run).toHaveBeenCalledTimes(1);
});

test('the caller can say what is worth another attempt', async () => {
  const run = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new Error('busy')).mockResolvedValue('done');
  expect(await retry(run, { ...atOnce, isRetryable: () => true })).toBe('done');
});

test('a signal cuts the pause short', async () => {
  const leaving = new AbortController();
  const run = vi.fn<() => Promise<never>>(async () => {
    queueMicrotask(() => leaving.abort(new Error('leaving')));
    throw away;
  });
  const policy = { attempts: 9, baseMs: 60_000, maxMs: 60_000, random: () => 0.9, signal: leaving.signal };
  await expect(retry(run, policy)).rejects.toThrow('leaving');
  expect(run).toHaveBeenCalledTimes(1);
});

test('pauses stay below base doubled with each attempt, and below the maximum', () => {
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000 }), unit, (attempt, random) => {
      const ms = pauseMs(attempt, { baseMs: 10, maxMs: 1_000, random: () => random });
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(Math.min(1_000, 10 * 2 ** (attempt - 1)));
    }),
  );
});
