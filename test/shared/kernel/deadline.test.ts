/** Deadlines fire for work that hangs, for work that heeds its signal, and leave nothing behind. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DEADLINE_MS_MAX, sleep, withDeadline } from '../../../shared/kernel/deadline.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  // Every timer is either fired or cleared, whichever way a call ended.
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const hang = (): Promise<never> => new Promise(() => {});
const throwsAtOnce = (): Promise<never> => {
  throw new Error('at once');
};
const tooLate = expect.toSatisfy((e) => isTandemError(e, 'deadline-exceeded'));

test('work that ignores its signal is given up at the deadline', async () => {
  const result = expect(withDeadline('a call', 100, hang)).rejects.toMatchObject({
    code: 'deadline-exceeded',
    message: 'a call took longer than 100 ms',
    details: { what: 'a call', deadlineMs: 100 },
  });
  await vi.advanceTimersByTimeAsync(100);
  await result;
});

test('work that heeds its signal is told why, and its own abort error does not hide the deadline', async () => {
  let reason: unknown;
  const work = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
        reject(new Error('aborted'));
      });
    });
  const result = expect(withDeadline('a call', 100, work)).rejects.toEqual(tooLate);
  await vi.advanceTimersByTimeAsync(100);
  await result;
  expect(reason).toEqual(tooLate);
});

test('an answer, or an error, in time passes through', async () => {
  expect(await withDeadline('a call', 100, async () => 42)).toBe(42);
  await expect(withDeadline('a call', 100, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  await expect(withDeadline('a call', 100, throwsAtOnce)).rejects.toThrow('at once');
});

test('a parent that aborts ends the work with its own reason', async () => {
  const parent = new AbortController();
  let seen: AbortSignal | undefined;
  const work = (signal: AbortSignal): Promise<never> => {
    seen = signal;
    return hang();
  };
  const result = expect(withDeadline('a call', 100, work, parent.signal)).rejects.toThrow('leaving');
  parent.abort(new Error('leaving'));
  await result;
  expect(seen?.aborted).toBe(true);
});

test('under a parent already aborted nothing is begun', async () => {
  const work = vi.fn<() => Promise<void>>();
  await expect(withDeadline('a call', 100, work, AbortSignal.abort(new Error('left')))).rejects.toThrow('left');
  expect(work).not.toHaveBeenCalled();
});

test('a deadline that setTimeout would turn into "at once" is a mistake', async () => {
  await expect(withDeadline('a call', DEADLINE_MS_MAX + 1, hang)).rejects.toThrow('out of range');
  await expect(withDeadline('a call', Number.NaN, hang)).rejects.toThrow('out of range');
});

test('sleep ends on time, or with the reason of its signal', async () => {
  const slept = sleep(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  await slept;

  const waker = new AbortController();
  const woken = expect(sleep(1_000, waker.signal)).rejects.toThrow('up');
  waker.abort(new Error('up'));
  await woken;
  await expect(sleep(1_000, waker.signal)).rejects.toThrow('up');
});
