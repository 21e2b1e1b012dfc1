/**
 * Turns the growing counters of processes into what happened lately.
 *
 * Invariant: a counter that fell was reset by a restart, and what it shows since then is counted, nothing negative. The first
 * sight of a counter counts nothing: its past belongs to another time.
 */
import { Series } from './series.ts';

/** One scrape a second for ten minutes. */
const POINTS_MAX = 600;

export class CounterRate {
  readonly #lastOf = new Map<string, number>();
  readonly #growth = new Series(POINTS_MAX);

  /** `source` names the process and label set the count comes from. */
  observe(source: string, count: number): number {
    const last = this.#lastOf.get(source);
    this.#lastOf.set(source, count);
    if (last === undefined) return 0;
    return count >= last ? count - last : count;
  }

  /** Adds the growth of all sources of one scrape. */
  add(atMs: number, growth: number): void {
    this.#growth.add(atMs, growth);
  }

  /** What was counted after sinceMs. */
  sumSince(sinceMs: number): number {
    return this.#growth.since(sinceMs).reduce((sum, point) => sum + point.value, 0);
  }

  points(sinceMs: number): readonly { atMs: number; value: number }[] {
    return this.#growth.since(sinceMs);
  }
}
