/**
 * The recent calls to one instance: how long they took and whether they succeeded.
 *
 * Invariant: it holds at most SAMPLES_MAX calls, none older than the window; memory does not grow with traffic.
 * It does not decide anything: see weight.ts.
 */

export const WINDOW_MS = 30_000;
/** With more traffic than this the window is shorter, not larger: the newest calls say most. */
export const SAMPLES_MAX = 1024;

export interface Sample {
  readonly atMs: number;
  readonly latencyMs: number;
  readonly ok: boolean;
}

export interface WindowSummary {
  readonly count: number;
  /** 95th percentile by nearest rank. */
  readonly p95Ms: number;
  /** Between 0 and 1. */
  readonly successRate: number;
}

export class SampleWindow {
  readonly #samples: Sample[] = [];
  /** Where the next sample goes once the ring is full. */
  #next = 0;

  add(sample: Sample): void {
    if (this.#samples.length < SAMPLES_MAX) this.#samples.push(sample);
    else this.#samples[this.#next] = sample;
    this.#next = (this.#next + 1) % SAMPLES_MAX;
  }

  /** What happened in the last WINDOW_MS; null where nothing did. */
  summarize(nowMs: number): WindowSummary | null {
    const recent = this.#samples.filter((sample) => sample.atMs > nowMs - WINDOW_MS);
    if (recent.length === 0) return null;
    const latencies = recent.map((sample) => sample.latencyMs).toSorted((a, b) => a - b);
    const successes = recent.reduce((sum, sample) => sum + Number(sample.ok), 0);
    return {
      count: recent.length,
      p95Ms: latencies[Math.ceil(latencies.length * 0.95) - 1] as number,
      successRate: successes / recent.length,
    };
  }

  /** Forgets everything: what an instance did before it died says nothing about the one that came back. */
  clear(): void {
    this.#samples.length = 0;
    this.#next = 0;
  }
}
