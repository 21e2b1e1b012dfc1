/**
 * Smooth weighted round-robin: over any run of picks each item gets its weight's share, evenly spread.
 *
 * Invariant: the credits of the candidates sum to what they summed to before each pick, so none starves and none is picked
 * in bursts. (The algorithm of nginx: every candidate earns its weight, the richest is picked and pays the total.)
 * It knows nothing about health: the caller passes who may be picked.
 */

export interface Candidate<T> {
  readonly item: T;
  /** Above 0. */
  readonly weight: number;
}

export class SmoothRoundRobin<T extends object> {
  readonly #creditOf = new WeakMap<T, number>();

  /** undefined for no candidates. */
  pick(candidates: readonly Candidate<T>[]): T | undefined {
    let totalWeight = 0;
    let best: T | undefined;
    let bestCredit = -Infinity;
    for (const { item, weight } of candidates) {
      totalWeight += weight;
      const credit = (this.#creditOf.get(item) ?? 0) + weight;
      this.#creditOf.set(item, credit);
      if (credit > bestCredit) {
        best = item;
        bestCredit = credit;
      }
    }
    if (best !== undefined) this.#creditOf.set(best, bestCredit - totalWeight);
    return best;
  }

  /** An item that was away starts level: credit from before would send it a burst. */
  forget(item: T): void {
    this.#creditOf.delete(item);
  }
}
