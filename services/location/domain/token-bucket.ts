/**
 * A budget that refills with time: so many at once, so many a second.
 * Invariant: over any span it grants at most `burst + perSecond × seconds`. It keeps no clock and never waits.
 */
export class TokenBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #atMs: number;

  constructor(options: { readonly burst: number; readonly perSecond: number; readonly nowMs: number }) {
    this.#burst = options.burst;
    this.#perMs = options.perSecond / 1_000;
    this.#tokens = options.burst;
    this.#atMs = options.nowMs;
  }

  /** Takes one; false when the budget is used up. A clock that steps back refills nothing. */
  take(nowMs: number): boolean {
    if (nowMs > this.#atMs) this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
