/**
 * A hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014) over an injected wall clock.
 *
 * Invariant: now() is above everything now() returned and observe() followed before, whatever the wall clock does; and it
 * runs ahead of the highest wall time seen by the drift limit at most, plus 1 ms for each 65,536 readings within it.
 * It keeps nothing over a restart: a row's next version is counted up from the row's own (the triggers see to that).
 *
 * HAZARD skew. A peer whose clock is far ahead would drag this one along for ever, and with it every region. So a reading
 * more than driftLimitMs ahead is not followed. Its data still applies; onDrift tells whose clock is off. Where the wrong
 * clock is this host's, lagging, every peer is reported: the alert that names several regions means this one.
 * HAZARD steps. A wall clock that jumps ahead and is set right again leaves this clock ahead until the wall catches up:
 * it counts on in the 16-bit counter, which carries into the milliseconds.
 */
import { assert } from '../kernel/assert.ts';
import { hlcMs, packHlc } from './hlc.ts';
import type { Hlc } from './hlc.ts';

export const DRIFT_LIMIT_MS = 500;

export interface Drift {
  /** How far the remote reading is ahead of the local wall clock. */
  readonly aheadMs: number;
  /** The region it came from, where the caller knows. */
  readonly origin?: number;
}

export class HybridClock {
  readonly #nowMs: () => number;
  readonly #driftLimitMs: number;
  readonly #onDrift: (drift: Drift) => void;
  #last: Hlc = packHlc(0, 0);

  /** `nowMs` is wall time since 1970; `onDrift` is called for each reading not followed: it must be cheap. */
  constructor(options: { nowMs: () => number; driftLimitMs?: number; onDrift?: (drift: Drift) => void }) {
    this.#nowMs = options.nowMs;
    this.#driftLimitMs = options.driftLimitMs ?? DRIFT_LIMIT_MS;
    this.#onDrift = options.onDrift ?? (() => {});
    assert(this.#driftLimitMs >= 0, 'a drift limit cannot be negative');
  }

  /** The latest reading returned or followed. */
  get last(): Hlc {
    return this.#last;
  }

  /** A reading for a new event: the wall time, or one count above the latest where the wall is not past it. */
  now(): Hlc {
    const wall = packHlc(Math.floor(this.#nowMs()), 0);
    this.#last = wall > this.#last ? wall : ((this.#last + 1n) as Hlc);
    return this.#last;
  }

  /** Takes note of a reading from elsewhere, so that what happens here afterwards is above it. */
  observe(remote: Hlc, origin?: number): 'followed' | 'too-far-ahead' {
    const aheadMs = hlcMs(remote) - Math.floor(this.#nowMs());
    if (aheadMs > this.#driftLimitMs) {
      this.#onDrift(origin === undefined ? { aheadMs } : { aheadMs, origin });
      return 'too-far-ahead';
    }
    if (remote > this.#last) this.#last = remote;
    return 'followed';
  }
}
