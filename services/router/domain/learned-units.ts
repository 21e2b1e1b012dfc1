/**
 * What the answers of the services taught: the unit of a ride. A bounded map that forgets the least recently used.
 *
 * Invariant: at most `limit` entries. A wrong or missing entry costs a detour (421, then carried), never a wrong write.
 */

export const LEARNED_UNITS_MAX = 50_000;

export class LearnedUnits {
  readonly #unitById = new Map<string, number>();
  readonly #limit: number;

  constructor(limit = LEARNED_UNITS_MAX) {
    this.#limit = limit;
  }

  get size(): number { return this.#unitById.size; }

  learn(id: string, unit: number): void {
    // A Map keeps insertion order: taking the entry out and putting it back makes it the youngest.
    this.#unitById.delete(id);
    this.#unitById.set(id, unit);
    if (this.#unitById.size <= this.#limit) return;
    const oldest = this.#unitById.keys().next();
    if (!oldest.done) this.#unitById.delete(oldest.value);
  }

  unitOf(id: string): number | undefined {
    const unit = this.#unitById.get(id);
    if (unit !== undefined) this.learn(id, unit);
    return unit;
  }
}
