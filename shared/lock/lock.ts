import type { Redis } from '../redis/redis.ts';
import type { LogSink } from '../kernel/log-sink.ts';

export type HintOutcome<T> = { readonly kind: 'ran'; readonly value: T } | { readonly kind: 'held-elsewhere' };

export interface HintLock {
  withHint<T>(key: string, ttlMs: number, run: () => Promise<T>): Promise<HintOutcome<T>>;
}

export function createLock(_redis: Redis, _options: { readonly log: LogSink }): HintLock {
  throw new Error('under way');
}
