/**
 * A hint against double work: of several processes that could do a thing now, usually one does.
 *
 * Invariant: the work runs unless another process surely holds the hint; with Redis gone it runs everywhere.
 *
 * HAZARD: this is not mutual exclusion. Redlock has no fencing tokens: a pause longer than the TTL, a restart of Redis
 * or a fail-over lets two run at once. What correctness rests on is the database (row locks, unique keys, guarded
 * updates), never this.
 */
import Redlock, { ExecutionError, ResourceLockedError } from 'redlock';
import type { Lock } from 'redlock';
import type { LogSink } from '../kernel/log-sink.ts';
import type { Redis } from '../redis/redis.ts';

const KEY_PREFIX = 'tandem:hint:';

export type HintOutcome<T> = { readonly kind: 'ran'; readonly value: T } | { readonly kind: 'held-elsewhere' };

export interface HintLock {
  /** Runs `run` unless another holds `key`. The hint is given up when `run` settles, or after ttlMs whatever it does. */
  withHint<T>(key: string, ttlMs: number, run: () => Promise<T>): Promise<HintOutcome<T>>;
}

export function createLock(redis: Redis, { log }: { readonly log: LogSink }): HintLock {
  // One attempt: who comes second has nothing to wait for, the work is being done.
  const redlock = new Redlock([redis], { retryCount: 0 });
  return {
    async withHint(key, ttlMs, run) {
      const lock = await acquire(redlock, key, ttlMs, log);
      if (lock === 'held-elsewhere') return { kind: 'held-elsewhere' };
      try {
        return { kind: 'ran', value: await run() };
      } finally {
        await release(lock, key, log);
      }
    },
  };
}

/** undefined: Redis could not be asked, so there is no hint either way. */
async function acquire(redlock: Redlock, key: string, ttlMs: number, log: LogSink): Promise<Lock | 'held-elsewhere' | undefined> {
  try {
    return await redlock.acquire([`${KEY_PREFIX}${key}`], ttlMs);
  } catch (e) {
    if (await isHeld(e)) return 'held-elsewhere';
    log.warn({ err: e, key }, 'lock: Redis gives no hint, the work is done without');
    return undefined;
  }
}

async function release(lock: Lock | undefined, key: string, log: LogSink): Promise<void> {
  try {
    await lock?.release();
  } catch (e) {
    log.debug({ err: e, key }, 'lock: a hint was not given back, it runs out by itself');
  }
}

async function isHeld(e: unknown): Promise<boolean> {
  if (!(e instanceof ExecutionError)) return false;
  for (const attempt of e.attempts) {
    const { votesAgainst } = await attempt;
    for (const error of votesAgainst.values()) if (error instanceof ResourceLockedError) return true;
  }
  return false;
}
