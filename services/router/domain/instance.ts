/**
 * One instance of a service as the router sees it: health from probes, weight from what its calls cost and how they ended.
 *
 * Invariant: `share` is what the balancer gives it, in (0, 100]; it moves at a recomputation or during slow start only.
 * It opens no connection: see proxy/.
 */
import { initialHealth, observeProbe } from './health.ts';
import type { Health } from './health.ts';
import { SampleWindow } from './sample-window.ts';
import type { Sample, WindowSummary } from './sample-window.ts';
import { nextWeight, slowStartFactor, WEIGHT_MAX } from './weight.ts';

export class Instance {
  /** `service@host:port`, as in logs and metrics. */
  readonly name: string;
  readonly origin: string;
  readonly #window = new SampleWindow();
  #health: Health;
  #weight = WEIGHT_MAX;
  #summary: WindowSummary | null = null;
  #inFlight = 0;

  constructor(service: string, hostPort: string, nowMs: number) {
    this.name = `${service}@${hostPort}`;
    this.origin = `http://${hostPort}`;
    this.#health = initialHealth(nowMs);
  }

  get health(): Health { return this.#health; }
  get isHealthy(): boolean { return this.#health.state === 'healthy'; }
  get weight(): number { return this.#weight; }
  /** Of the last recomputation; null where there was no traffic in its window. */
  get summary(): WindowSummary | null { return this.#summary; }
  get inFlight(): number { return this.#inFlight; }

  share(nowMs: number): number {
    const { recoveredAtMs } = this.#health;
    return recoveredAtMs === null ? this.#weight : this.#weight * slowStartFactor(nowMs - recoveredAtMs);
  }

  /** Returns 'fell' or 'recovered' where the state changed. */
  observeProbe(outcome: 'ok' | 'failed', nowMs: number): 'fell' | 'recovered' | 'unchanged' {
    const before = this.#health.state;
    this.#health = observeProbe(this.#health, outcome, nowMs);
    if (before === this.#health.state) return 'unchanged';
    if (this.#health.state === 'unhealthy') return 'fell';
    this.#window.clear();
    return 'recovered';
  }

  begin(): void { this.#inFlight += 1; }
  end(): void { this.#inFlight -= 1; }

  record(sample: Sample): void {
    this.#window.add(sample);
  }

  recompute(nowMs: number): void {
    this.#summary = this.#window.summarize(nowMs);
    this.#weight = nextWeight(this.#weight, this.#summary);
  }
}
