/**
 * The cheapest feasible place for a new rider in a driver's plan.
 *
 * Invariant: the plan it returns holds on every leg within the car's seats, meets the new rider's promise, and makes no
 * other stop later than its promise, nor later than it already was where the road has broken the promise before us.
 * Nothing is reordered: the stops that are there keep their order. Moving unstarted riders between cars is another matter.
 *
 * A delay, once there, is carried by every later stop in full (a car never waits), so each pair of places is checked in
 * constant time against the slack behind it. It equals trying everything out, which is how it is tested.
 */
import type { Place } from '../../../shared/unit/place.ts';
import { etasMs, legMs, loads, placeBefore } from './route-plan.ts';
import type { PlannedStop, RoutePlan } from './route-plan.ts';
import type { RidePromise } from './promise.ts';
import type { TravelModel } from './travel.ts';

/** What a driver can keep in view, and what bounds the search. */
export const ROUTE_STOPS_MAX = 16;

export type NewRider = RidePromise & {
  readonly rideId: bigint;
  readonly pickup: Place;
  readonly dropoff: Place;
  readonly seatsHeld: number;
};

/** From the least to the most hopeful: the reason told is that of the place that came closest. */
const REASONS = ['route-full', 'no-seats', 'pickup-too-late', 'breaks-a-promise', 'arrival-too-late'] as const;
export type InfeasibleReason = (typeof REASONS)[number];

export type Insertion = {
  readonly kind: 'feasible';
  /** Index of the new pick-up and drop-off in `stops`. */
  readonly pickupIndex: number;
  readonly dropoffIndex: number;
  /** Driving time added to the whole plan, milliseconds: the cost. */
  readonly addedMs: number;
  readonly stops: readonly PlannedStop[];
  /** When the car is at each of `stops`, ms since 1970. */
  readonly etasMs: readonly number[];
};

export type InsertionResult = Insertion | { readonly kind: 'infeasible'; readonly reason: InfeasibleReason };

/** Ties go to the earlier pick-up, then to the earlier drop-off, so that all instances decide alike. */
export function decideInsertion(plan: RoutePlan, rider: NewRider, travel: TravelModel): InsertionResult {
  if (plan.stops.length + 2 > ROUTE_STOPS_MAX) return { kind: 'infeasible', reason: 'route-full' };
  const search = new Search(plan, rider, travel);
  for (let before = search.firstFree; before <= plan.stops.length; before += 1) search.tryPickup(before);
  const { best } = search;
  if (best === undefined) return { kind: 'infeasible', reason: search.reason };
  const stops = withRider(plan.stops, rider, best);
  return {
    kind: 'feasible',
    pickupIndex: best.pickup,
    dropoffIndex: best.dropoff + 1,
    addedMs: best.addedMs,
    stops,
    etasMs: etasMs({ ...plan, stops }, travel),
  };
}

/** Both count places in the old plan: the new stop stands before the old stop of that index. */
type Places = { readonly pickup: number; readonly dropoff: number; readonly addedMs: number };

class Search {
  /** No new stop comes before one that is reached. */
  readonly firstFree: number;
  best: Places | undefined;
  readonly #plan: RoutePlan;
  readonly #rider: NewRider;
  readonly #travel: TravelModel;
  readonly #etas: readonly number[];
  readonly #loads: readonly number[];
  /** By how much the plan from stop i on may be delayed; unbounded behind the last. */
  readonly #slack: readonly number[];
  #reason = 0;

  constructor(plan: RoutePlan, rider: NewRider, travel: TravelModel) {
    this.#plan = plan;
    this.#rider = rider;
    this.#travel = travel;
    this.#etas = etasMs(plan, travel);
    this.#loads = loads(plan.stops);
    this.#slack = slackBehind(plan.stops, this.#etas);
    this.firstFree = plan.stops.filter((stop) => stop.isReached).length;
  }

  get reason(): InfeasibleReason {
    return REASONS[this.#reason] as InfeasibleReason;
  }

  /** Puts the pick-up before stop `pickup`, then the drop-off everywhere behind it. */
  tryPickup(pickup: number): void {
    const { seatsHeld, latestPickupMs } = this.#rider;
    if (!this.#hasSeats(pickup, seatsHeld)) return this.#failed('no-seats');
    const toPickupMs = this.#travel.durationMs(placeBefore(this.#plan, pickup), this.#rider.pickup);
    const pickupMs = this.#leavesMs(pickup) + toPickupMs;
    if (pickupMs > latestPickupMs) return this.#failed('pickup-too-late');
    this.#tryDropoffAtOnce(pickup, pickupMs);
    const next = this.#plan.stops[pickup];
    if (next === undefined) return;
    const delayMs = toPickupMs + this.#travel.durationMs(this.#rider.pickup, next.place) - this.#legMs(pickup);
    this.#tryDropoffsBehind(pickup, delayMs);
  }

  #tryDropoffAtOnce(pickup: number, pickupMs: number): void {
    const dropoffMs = pickupMs + this.#travel.durationMs(this.#rider.pickup, this.#rider.dropoff);
    const next = this.#plan.stops[pickup];
    const onwardsMs = next === undefined ? 0 : this.#travel.durationMs(this.#rider.dropoff, next.place);
    const addedMs = dropoffMs + onwardsMs - this.#leavesMs(pickup) - this.#legMs(pickup);
    this.#consider({ pickup, dropoff: pickup, addedMs }, dropoffMs);
  }

  #tryDropoffsBehind(pickup: number, delayMs: number): void {
    for (let dropoff = pickup + 1; dropoff <= this.#plan.stops.length; dropoff += 1) {
      // The stop just passed bears the delay with the rider aboard. If it cannot, no later drop-off can either.
      const passed = this.#plan.stops[dropoff - 1] as PlannedStop;
      const passedMs = this.#etas[dropoff - 1] as number;
      if (delayMs > allowedMs(passed, passedMs) - passedMs) return this.#failed('breaks-a-promise');
      if (!this.#hasSeats(dropoff, this.#rider.seatsHeld)) return this.#failed('no-seats');
      const toDropoffMs = this.#travel.durationMs(passed.place, this.#rider.dropoff);
      const next = this.#plan.stops[dropoff];
      const onwardsMs = next === undefined ? 0 : this.#travel.durationMs(this.#rider.dropoff, next.place);
      const addedMs = delayMs + toDropoffMs + onwardsMs - this.#legMs(dropoff);
      this.#consider({ pickup, dropoff, addedMs }, passedMs + delayMs + toDropoffMs);
    }
  }

  #consider(places: Places, dropoffMs: number): void {
    if (dropoffMs > this.#rider.latestArrivalMs) return this.#failed('arrival-too-late');
    if (places.addedMs > (this.#slack[places.dropoff] as number)) return this.#failed('breaks-a-promise');
    if (this.best === undefined || places.addedMs < this.best.addedMs) this.best = places;
  }

  #failed(reason: InfeasibleReason): void {
    this.#reason = Math.max(this.#reason, REASONS.indexOf(reason));
  }

  #hasSeats(leg: number, seats: number): boolean {
    return (this.#loads[leg] as number) + seats <= this.#plan.seats;
  }

  /** When the car sets off towards position `index`. */
  #leavesMs(index: number): number {
    return this.#etas[index - 1] ?? this.#plan.startMs;
  }

  #legMs(index: number): number {
    return legMs(this.#plan, index, this.#travel);
  }
}

/** The latest a stop may be: as promised, or as it stands where that is broken already. */
function allowedMs(stop: PlannedStop, etaMs: number): number {
  return Math.max(stop.latestMs, etaMs);
}

function slackBehind(stops: readonly PlannedStop[], etas: readonly number[]): number[] {
  const slack = [...stops.map(() => 0), Number.POSITIVE_INFINITY];
  for (let index = stops.length - 1; index >= 0; index -= 1) {
    const etaMs = etas[index] as number;
    const ownMs = allowedMs(stops[index] as PlannedStop, etaMs) - etaMs;
    slack[index] = Math.min(ownMs, slack[index + 1] as number);
  }
  return slack;
}

function withRider(stops: readonly PlannedStop[], rider: NewRider, places: Places): PlannedStop[] {
  const { rideId, seatsHeld } = rider;
  const pickup: PlannedStop = {
    rideId, kind: 'pickup', place: rider.pickup, seatsHeld, latestMs: rider.latestPickupMs, isReached: false,
  };
  const dropoff: PlannedStop = {
    rideId, kind: 'dropoff', place: rider.dropoff, seatsHeld, latestMs: rider.latestArrivalMs, isReached: false,
  };
  return [
    ...stops.slice(0, places.pickup), pickup,
    ...stops.slice(places.pickup, places.dropoff), dropoff,
    ...stops.slice(places.dropoff),
  ];
}
