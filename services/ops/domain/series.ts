/**
 * The recent past of one figure: a ring of samples with their times.
 *
 * Invariant: it holds at most `capacity` samples, oldest first; memory does not grow. Percentiles are by nearest rank over
 * the samples themselves, never over averages.
 */
import { assert } from '../../../shared/kernel/assert.ts';

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

export class Series {
  readonly #capacity: number;
  #points: Point[] = [];

  constructor(capacity: number) {
    assert(capacity > 0, 'a series holds at least one sample');
    this.#capacity = capacity;
  }

  get last(): Point | undefined { return this.#points.at(-1); }

  add(atMs: number, value: number): void {
    this.#points.push({ atMs, value });
    // Cut in bulk: moving the whole array once in a while is cheaper than at every sample.
    if (this.#points.length >= 2 * this.#capacity) this.#points = this.#points.slice(-this.#capacity);
  }

  /** The samples younger than sinceMs, oldest first. */
  since(sinceMs: number): readonly Point[] {
    return this.#points.slice(-this.#capacity).filter((point) => point.atMs > sinceMs);
  }
}

export interface Percentiles {
  readonly count: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
}

/** All null for no samples. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number | null => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: sorted.at(-1) ?? null };
}

export interface Bucket {
  readonly atMs: number;
  readonly p50: number;
  readonly max: number;
}

/** One bucket for each `widthMs` that has samples: what a chart draws. Spikes survive as `max`; a gap stays a gap. */
export function bucketed(points: readonly Point[], widthMs: number): readonly Bucket[] {
  const valuesAt = new Map<number, number[]>();
  for (const { atMs, value } of points) {
    const start = Math.floor(atMs / widthMs) * widthMs;
    const values = valuesAt.get(start);
    if (values === undefined) valuesAt.set(start, [value]);
    else values.push(value);
  }
  return [...valuesAt]
    .toSorted(([a], [b]) => a - b)
    .map(([atMs, values]) => {
      const { p50, max } = percentiles(values);
      return { atMs, p50: p50 ?? 0, max: max ?? 0 };
    });
}
