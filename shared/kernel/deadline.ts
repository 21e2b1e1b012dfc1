/**
 * Deadlines: no await on a network stands without one.
 *
 * Invariant: withDeadline settles by its deadline even where the work ignores its signal. It does not stop such work;
 * what that work says later, good or bad, is dropped.
 */
import { assert } from './assert.ts';
import { TandemError } from './tandem-error.ts';

/** setTimeout counts in a signed 32-bit integer; a longer delay would fire at once. */
export const DEADLINE_MS_MAX = 2 ** 31 - 1;

/**
 * Runs `run` for at most `deadlineMs`. Throws deadline-exceeded (details: what, deadlineMs) when time is up, and the
 * parent's reason when the parent aborts first; in both cases the signal given to `run` is aborted.
 *
 * @param what names the call in the error, for example "etcd get /tandem/units/07"
 */
export async function withDeadline<T>(
  what: string,
  deadlineMs: number,
  run: (signal: AbortSignal) => Promise<T>,
  parent?: AbortSignal,
): Promise<T> {
  assert(deadlineMs >= 0 && deadlineMs <= DEADLINE_MS_MAX, `deadline of ${what} out of range: ${deadlineMs} ms`);
  parent?.throwIfAborted();
  const controller = new AbortController();
  const gate = Promise.withResolvers<never>();
  const giveUp = (reason: unknown): void => {
    // Reject before abort: the work's own AbortError must not win the race against the reason.
    gate.reject(reason);
    controller.abort(reason);
  };
  const onParentAbort = (): void => giveUp(parent?.reason);
  const timer = setTimeout(() => {
    giveUp(new TandemError('deadline-exceeded', `${what} took longer than ${deadlineMs} ms`, { details: { what, deadlineMs } }));
  }, deadlineMs);
  parent?.addEventListener('abort', onParentAbort, { once: true });
  try {
    return await Promise.race([gate.promise, run(controller.signal)]);
  } finally {
    clearTimeout(timer);
    parent?.removeEventListener('abort', onParentAbort);
  }
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  assert(ms >= 0 && ms <= DEADLINE_MS_MAX, `cannot sleep ${ms} ms`);
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
