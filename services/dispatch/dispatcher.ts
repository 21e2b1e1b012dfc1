/**
 * The loop that finds drivers: ends offers past their time, claims the rides that are due, and puts each to somebody.
 *
 * Invariant: it keeps nothing between turns, so any number of instances run side by side and a new one takes over at
 * once; a turn that fails is begun anew, and what it had claimed becomes due again by itself. It decides nothing about
 * feasibility (domain/) and writes nothing itself (flows/).
 */
import { assert } from '../../shared/kernel/assert.ts';
import { UNIT_COUNT } from '../../shared/unit/unit.ts';
import { endOffer } from './flows/close-offer.ts';
import { makeOffer, NO_DRIVER_IN_TIME, rejectOverdueRide } from './flows/make-offer.ts';
import { proposeDrivers } from './flows/search.ts';
import type { DispatchDeps } from './ports.ts';
import { claimDueRides, countOpenRides } from './store/due-rides.ts';
import { findOverdueOffers } from './store/offers.ts';

/** Rides claimed in one turn: bounds the questions to location at once and how long a claim is worked on. */
export const CLAIM_LIMIT = 32;
export const OVERDUE_LIMIT = 64;
/** The pause after a turn that failed, so that a database that is down is not hammered. */
const FAILURE_PAUSE_MS = 1000;
const COUNT_EVERY_MS = 5000;

export type Turn = { readonly claimed: number; readonly offered: number; readonly rejected: number; readonly expired: number };

export class Dispatcher {
  readonly #deps: DispatchDeps;
  #running: Promise<void> | undefined;
  #isStopping = false;
  #isDue = false;
  #wakeUp: (() => void) | undefined;
  #countedAtMs = 0;

  constructor(deps: DispatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    assert(this.#running === undefined, 'a dispatcher starts once');
    this.#running = this.#run();
  }

  /** Begins the next turn at once; called where a ride has become due in this process. */
  wake(): void {
    this.#isDue = true;
    this.#wakeUp?.();
  }

  /** Resolves once the turn in hand is over. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wakeUp?.();
    await this.#running;
  }

  /** One turn; public for tests, which run turns by hand. */
  async turn(): Promise<Turn> {
    const { db, clock, policy, nowMs } = this.#deps;
    const startedMs = nowMs();
    const expired = await this.#expireOffers();
    const claim = {
      now: new Date(startedMs),
      until: new Date(startedMs + policy.current().dispatchEveryMs),
      units: this.#homeUnits(),
      limit: CLAIM_LIMIT,
    };
    const due = await db.transaction((tx) => claimDueRides(tx, claim), { clock });
    const overdue = due.filter((ride) => ride.latestPickupAt.getTime() <= startedMs);
    const rejected = await this.#reject(overdue.map((ride) => ride.id));
    const waiting = due.filter((ride) => ride.latestPickupAt.getTime() > startedMs);
    let offered = 0;
    if (waiting.length > 0) {
      for (const proposal of await proposeDrivers(this.#deps, waiting)) {
        if ((await makeOffer(this.#deps, proposal)) === undefined) continue;
        offered += 1;
        this.#deps.metrics.offered();
      }
    }
    return { claimed: due.length, offered, rejected, expired };
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      this.#isDue = false;
      const pauseMs = await this.#turnSafely();
      if (pauseMs > 0) await this.#pause(pauseMs);
    }
  }

  /** How long to rest afterwards. */
  async #turnSafely(): Promise<number> {
    const { metrics, log, policy, nowMs } = this.#deps;
    const startedMs = nowMs();
    try {
      const { claimed } = await this.turn();
      await this.#countRides(startedMs);
      metrics.turnTook(nowMs() - startedMs);
      return claimed === CLAIM_LIMIT ? 0 : policy.current().dispatchEveryMs;
    } catch (e) {
      metrics.turnFailed();
      log.error({ err: e }, 'a dispatch turn failed; what it had claimed becomes due again');
      this.#isDue = false;
      return FAILURE_PAUSE_MS;
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isDue || this.#isStopping) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wakeUp = resolve;
    await promise;
    clearTimeout(timer);
    this.#wakeUp = undefined;
  }

  async #expireOffers(): Promise<number> {
    const now = new Date(this.#deps.nowMs());
    const overdue = await findOverdueOffers(this.#deps.db, { now, units: this.#homeUnits(), limit: OVERDUE_LIMIT });
    let expired = 0;
    for (const offer of overdue) {
      if (await endOffer(this.#deps, offer, { status: 'expired', reason: 'expired' })) expired += 1;
    }
    return expired;
  }

  async #reject(rideIds: readonly bigint[]): Promise<number> {
    let rejected = 0;
    for (const id of rideIds) {
      if (!(await rejectOverdueRide(this.#deps, id))) continue;
      rejected += 1;
      this.#deps.metrics.rejected(NO_DRIVER_IN_TIME);
    }
    return rejected;
  }

  #homeUnits(): number[] {
    return Array.from({ length: UNIT_COUNT }, (_, unit) => unit).filter((unit) => this.#deps.units.isHome(unit));
  }

  async #countRides(nowMs: number): Promise<void> {
    if (nowMs - this.#countedAtMs < COUNT_EVERY_MS) return;
    this.#countedAtMs = nowMs;
    this.#deps.metrics.openRides(await countOpenRides(this.#deps.db));
  }
}
