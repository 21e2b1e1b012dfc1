/**
 * The one retry loop: bounded attempts, exponential back-off with full jitter, cut short by a signal.
 *
 * Invariant: the error thrown is the last attempt's own, never a wrapper. It sets no deadline; put withDeadline inside
 * `run` for one attempt, or around the whole for the budget.
 */
import { assert } from './assert.ts';
import { sleep } from './deadline.ts';
import { isTandemError } from './tandem-error.ts';

export interface RetryPolicy {
  /** How often `run` is called at most, the first time included. */
  readonly attempts: number;
  /** Upper bound of the first pause; it doubles with each attempt. */
  readonly baseMs: number;
  /** Upper bound of every pause. */
  readonly maxMs: number;
  /** Which errors are worth another attempt; by default those whose code says so. */
  readonly isRetryable?: (e: unknown) => boolean;
  readonly signal?: AbortSignal;
  /** Uniform in [0, 1); injected by tests. */
  readonly random?: () => number;
}

/** Calls `run` with 1, 2, … until it succeeds, throws something not retryable, or the attempts are used up. */
export async function retry<T>(run: (attempt: number) => Promise<T>, policy: RetryPolicy): Promise<T> {
  const { attempts, isRetryable = isRetryableError, signal } = policy;
  assert(Number.isInteger(attempts) && attempts >= 1, `retry needs at least one attempt, got ${attempts}`);
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await run(attempt);
    } catch (e) {
      if (attempt >= attempts || !isRetryable(e)) throw e;
    }
    await sleep(pauseMs(attempt, policy), signal);
  }
}

/**
 * The pause after a failed attempt: uniform in [0, min(maxMs, baseMs * 2^(attempt-1))), the "full jitter" that spreads
 * clients which failed together (M. Brooker, "Exponential Backoff And Jitter", 2015).
 */
export function pauseMs(attempt: number, policy: Pick<RetryPolicy, 'baseMs' | 'maxMs' | 'random'>): number {
  const { baseMs, maxMs, random = Math.random } = policy;
  return random() * Math.min(maxMs, baseMs * 2 ** (attempt - 1));
}

function isRetryableError(e: unknown): boolean {
  return isTandemError(e) && e.retryable;
}
