/**
 * Notices versions from a clock that is far ahead: they apply, they are counted, and once a minute the log names the region.
 *
 * Invariant: data is never withheld for its clock.
 */
import { HybridClock } from '../../shared/clock/hybrid-clock.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { Regions } from '../../shared/kernel/region.ts';
import type { Change } from '../change/envelope.ts';

const LOG_EVERY_MS = 60_000;

export class DriftWatch {
  readonly #clock: HybridClock;
  readonly #loggedMs = new Map<number, number>();
  #ahead = 0;

  constructor({ nowMs, regions, log }: { nowMs: () => number; regions: Regions; log: LogSink }) {
    this.#clock = new HybridClock({
      nowMs,
      onDrift: ({ aheadMs, origin = 0 }) => {
        this.#ahead += 1;
        if (nowMs() - (this.#loggedMs.get(origin) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return;
        this.#loggedMs.set(origin, nowMs());
        const region = regions.names.find((name) => regions.originOf(name) === origin) ?? `origin ${origin}`;
        log.error({ region, aheadMs, changesAhead: this.#ahead }, 'the clock of a region is off: its versions are far ahead of this one');
      },
    });
  }

  /** How many changes were ahead of the local clock by more than the limit. */
  get changesAhead(): number {
    return this.#ahead;
  }

  observe({ version }: Change): void {
    this.#clock.observe(version.hlc, version.origin);
  }
}
