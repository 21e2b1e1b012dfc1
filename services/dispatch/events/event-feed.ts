/**
 * Follows many streams of events at once: one query a second asks for the newest event of all followed keys, whatever
 * their number, and only those with news are read.
 *
 * Invariant: a follower gets every event after the one it names, in order and once. That rests on the database alone (seq
 * grows in commit order under a row lock); nudges only make it quicker. Nothing is kept of what was read.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export const POLL_MS = 1000;
export const PAGE_LIMIT = 100;
/** Keys in one query of the poll. */
export const POLL_KEYS_MAX = 500;
/** More followers than this are turned away. */
export const FOLLOWERS_MAX = 10_000;

export type FeedSource<Event> = {
  readonly name: string;
  /** The newest seq of each key that has an event. */
  newest(keys: readonly bigint[]): Promise<Map<bigint, bigint>>;
  /** Events with seq > after, in order. */
  read(input: { key: bigint; after: bigint; limit: number }): Promise<Event[]>;
  seqOf(event: Event): bigint;
};

type Follower = { readonly key: bigint; seq: bigint; isDue: boolean; wake: (() => void) | undefined };

export class EventFeed<Event> {
  readonly #source: FeedSource<Event>;
  readonly #log: LogSink;
  readonly #pollMs: number;
  readonly #followers = new Map<bigint, Set<Follower>>();
  readonly #stopping = new AbortController();
  #count = 0;
  #polling: Promise<void> | undefined;

  constructor({ source, log, pollMs = POLL_MS }: { source: FeedSource<Event>; log: LogSink; pollMs?: number }) {
    this.#source = source;
    this.#log = log;
    this.#pollMs = pollMs;
  }

  get followerCount(): number {
    return this.#count;
  }

  start(): void {
    this.#polling ??= this.#poll();
  }

  /** Ends every follower's stream. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const followers of this.#followers.values()) for (const follower of followers) follower.wake?.();
    await this.#polling;
  }

  nudge(key: bigint): void {
    for (const follower of this.#followers.get(key) ?? []) awaken(follower);
  }

  /**
   * Events after `after` in pages, then each new one, until the signal aborts or the feed stops; then it ends without an
   * error. Throws rate-limited at FOLLOWERS_MAX, and what the source throws.
   */
  async *follow(key: bigint, after: bigint, signal: AbortSignal): AsyncGenerator<Event[], void, void> {
    if (this.#count >= FOLLOWERS_MAX) throw new TandemError('rate-limited', `more than ${FOLLOWERS_MAX} followers of ${this.#source.name}`);
    const follower: Follower = { key, seq: after, isDue: true, wake: undefined };
    const onAbort = (): void => follower.wake?.();
    signal.addEventListener('abort', onAbort);
    this.#add(follower);
    try {
      while (!signal.aborted && !this.#stopping.signal.aborted) {
        if (!follower.isDue) await news(follower);
        if (signal.aborted || this.#stopping.signal.aborted) return;
        follower.isDue = false;
        const events = await this.#source.read({ key, after: follower.seq, limit: PAGE_LIMIT });
        const last = events.at(-1);
        if (last === undefined) continue;
        follower.seq = this.#source.seqOf(last);
        follower.isDue ||= events.length === PAGE_LIMIT;
        yield events;
      }
    } finally {
      this.#remove(follower);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #add(follower: Follower): void {
    const followers = this.#followers.get(follower.key) ?? new Set();
    this.#followers.set(follower.key, followers.add(follower));
    this.#count += 1;
  }

  #remove(follower: Follower): void {
    const followers = this.#followers.get(follower.key);
    followers?.delete(follower);
    if (followers?.size === 0) this.#followers.delete(follower.key);
    this.#count -= 1;
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(this.#pollMs, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.#lookForNews();
      } catch (e) {
        // The next poll tries again; a database that stays away shows in the health checks.
        this.#log.warn({ err: e, feed: this.#source.name }, 'could not look for news');
      }
    }
  }

  async #lookForNews(): Promise<void> {
    const keys = [...this.#followers.keys()];
    for (let start = 0; start < keys.length; start += POLL_KEYS_MAX) {
      const newest = await this.#source.newest(keys.slice(start, start + POLL_KEYS_MAX));
      for (const [key, seq] of newest) {
        for (const follower of this.#followers.get(key) ?? []) if (seq > follower.seq) awaken(follower);
      }
    }
  }
}

function awaken(follower: Follower): void {
  follower.isDue = true;
  follower.wake?.();
}

async function news(follower: Follower): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  follower.wake = resolve;
  await promise;
  follower.wake = undefined;
}
