/**
 * The replication lag of the last ten minutes, one sample for each heartbeat and partition.
 *
 * Invariant: at most LAG_SAMPLES_MAX are kept; older ones go first. A lag is what a reader of this region would have seen:
 * from the moment the peer wrote a heartbeat to the moment its transaction was committed here.
 */
export const LAG_WINDOW_MS = 600_000;
/** Ten minutes of 16 partitions at five heartbeats a second. */
export const LAG_SAMPLES_MAX = 48_000;

export interface LagSample { readonly atMs: number; readonly lagMs: number; readonly partition: number }

export class LagRing {
  #samples: LagSample[] = [];
  #head = 0;

  get last(): LagSample | undefined {
    return this.#samples.at(-1);
  }

  add(sample: LagSample): void {
    this.#samples.push(sample);
    const oldest = sample.atMs - LAG_WINDOW_MS;
    while (this.#head < this.#samples.length && (this.#samples[this.#head]?.atMs ?? 0) < oldest) this.#head += 1;
    this.#head = Math.max(this.#head, this.#samples.length - LAG_SAMPLES_MAX);
    // Dropping them one by one would move the whole array each time.
    if (this.#head > this.#samples.length / 2) {
      this.#samples = this.#samples.slice(this.#head);
      this.#head = 0;
    }
  }

  /** In order of time, those at or after `sinceMs` (ms since 1970). */
  since(sinceMs: number): readonly LagSample[] {
    return this.#samples.slice(this.#head).filter((sample) => sample.atMs >= sinceMs);
  }
}

/** "2026-01-31 12:34:56.123456" as ms since 1970; the server's texts are UTC. */
export function parseServerTime(text: string): number {
  return Date.parse(`${text.slice(0, 23).replace(' ', 'T')}Z`);
}
