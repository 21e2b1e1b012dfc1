/**
 * How long to wait so that rows leave at no more than a given rate. A value with an injected clock, no timer of its own.
 *
 * Invariant: over any stretch of time at most rate × seconds + one chunk of rows pass. What was not used is not saved up
 * for longer than a second: after a pause there is no burst.
 */
const SAVED_MS_MAX = 1_000;

export class Throttle {
  readonly #perSecond: number;
  readonly #nowMs: () => number;
  /** Until then what has passed is paid for. */
  #paidUntilMs: number;

  constructor(perSecond: number, nowMs: () => number) {
    this.#perSecond = perSecond;
    this.#nowMs = nowMs;
    this.#paidUntilMs = nowMs();
  }

  /** Books `rows` that pass now. */
  take(rows: number): void {
    const floorMs = this.#nowMs() - SAVED_MS_MAX;
    this.#paidUntilMs = Math.max(this.#paidUntilMs, floorMs) + (rows * 1_000) / this.#perSecond;
  }

  /** ms until the next rows may pass; 0: now. */
  get waitMs(): number {
    return Math.max(0, this.#paidUntilMs - this.#nowMs());
  }
}
