/**
 * Decides whether a write may be taken while the peer is behind: what would be lost with this region must stay below a limit.
 *
 * The rule, in full:
 * - Exposure is how many ms of this region's writes the peer has not told to have applied; `null` where it has never told
 *   anything, which counts as without bound.
 * - The guard is `off`, and takes every write, while the peer is known to be lost: /tandem/regions/<peer> says `lost`, or
 *   the policy carries an operator's override that has not run out. Losing a region must not stop the one that is left.
 * - It engages where the exposure is above the limit and lets go where it is at or below half of it, so that it does not flap.
 * - Engaged it does what the policy says: `warn` takes every write; `throttle` takes a share that falls in a line from all at
 *   the limit to one in twenty at three times the limit; `pause` takes none.
 *
 * Invariant: pure: no clock and no chance. A share is kept exactly over any run of writes (an accumulator, not a dice).
 */
import { assert } from '../kernel/assert.ts';
import type { GuardPolicy } from './guard-policy.ts';

export type GuardState = 'off' | 'clear' | 'warning' | 'throttling' | 'pausing';

/** As the gauge tandem_rpo_guard_state shows it. */
export const STATE_NUMBERS: Readonly<Record<GuardState, number>> = { off: -1, clear: 0, warning: 1, throttling: 2, pausing: 3 };

export interface GuardLook {
  readonly exposureMs: number | null;
  /** The region's state in etcd; null where it has none. */
  readonly peerState: string | null;
  /** Wall time: an override runs out by the clock of the wall. */
  readonly nowMs: number;
}

const PEER_LOST = 'lost';
const RELEASE_SHARE = 0.5;
/** Throttling ends its fall at this many times the limit … */
const FALL_ENDS_AT = 3;
/** … and with this share: some writes must pass, or the queue of retries would only grow. */
const SHARE_MIN = 0.05;
const ENGAGED = { warn: 'warning', throttle: 'throttling', pause: 'pausing' } as const;
const RETRY_AFTER_S = { min: 1, max: 30 } as const;

export class RpoGuard {
  #state: GuardState = 'clear';
  #exposureMs: number | null = null;
  #share = 1;
  /** The part of a write that has been saved up; a whole one is let through. */
  #credit = 0;
  #limitMs = 0;

  get state(): GuardState {
    return this.#state;
  }

  get exposureMs(): number | null {
    return this.#exposureMs;
  }

  /** Takes in a look; returns the state it leads to. */
  observe({ exposureMs, peerState, nowMs }: GuardLook, policy: GuardPolicy): GuardState {
    assert(exposureMs === null || exposureMs >= 0, 'an exposure is not below zero');
    const exposure = exposureMs ?? Number.POSITIVE_INFINITY;
    const isOff = peerState === PEER_LOST || (policy.override !== null && nowMs < policy.override.untilMs);
    const wasEngaged = this.#state !== 'off' && this.#state !== 'clear';
    const isEngaged = exposure > policy.limitMs || (wasEngaged && exposure > policy.limitMs * RELEASE_SHARE);
    this.#exposureMs = exposureMs;
    this.#limitMs = policy.limitMs;
    this.#state = isOff ? 'off' : isEngaged ? ENGAGED[policy.action] : 'clear';
    this.#share = shareOf(this.#state, exposure, policy.limitMs);
    return this.#state;
  }

  /** null: take the write. A number: refuse it, and say to come back after this many seconds. */
  refusal(): number | null {
    this.#credit += this.#share;
    if (this.#credit < 1) return this.#retryAfterS();
    this.#credit -= 1;
    return null;
  }

  /** As long as the peer would need to catch up at the speed of time; nobody knows better. */
  #retryAfterS(): number {
    const overMs = (this.#exposureMs ?? Number.POSITIVE_INFINITY) - this.#limitMs * RELEASE_SHARE;
    return Math.min(RETRY_AFTER_S.max, Math.max(RETRY_AFTER_S.min, Math.ceil(overMs / 1000)));
  }
}

function shareOf(state: GuardState, exposureMs: number, limitMs: number): number {
  if (state === 'pausing') return 0;
  if (state !== 'throttling') return 1;
  const fallen = (exposureMs - limitMs) / (limitMs * (FALL_ENDS_AT - 1));
  return Math.min(1, Math.max(SHARE_MIN, 1 - fallen));
}
