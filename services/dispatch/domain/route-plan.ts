/**
 * A driver's plan: where the car is, how many seats it has, and the stops that remain, in order.
 *
 * Invariant: a ride has at most a pick-up and a drop-off in it, pick-up first; a drop-off without its pick-up is a rider
 * who is aboard. Stops already reached come first and are never overtaken. A plan is a value: changing it makes a new one.
 */
import type { Place } from '../../../shared/unit/place.ts';
import type { TravelModel } from './travel.ts';

export type StopKind = 'pickup' | 'dropoff';

export type PlannedStop = {
  readonly rideId: bigint;
  readonly kind: StopKind;
  readonly place: Place;
  /** Seats the ride holds from pick-up to drop-off; a solo ride holds all of the car (seatsHeld). */
  readonly seatsHeld: number;
  /** What the rider was promised for this stop, ms since 1970. */
  readonly latestMs: number;
  /** The car stands there already. */
  readonly isReached: boolean;
};

export type RoutePlan = {
  readonly seats: number;
  readonly position: Place;
  /** When the car is at `position`, ms since 1970. */
  readonly startMs: number;
  readonly stops: readonly PlannedStop[];
};

/** A solo rider shares with nobody: the ride holds every seat. */
export function seatsHeld(ride: { seats: number; pooled: boolean }, vehicleSeats: number): number {
  return ride.pooled ? ride.seats : Math.max(ride.seats, vehicleSeats);
}

/** Milliseconds of the leg that ends at `stops[index]`; none to a stop that is reached. */
export function legMs(plan: RoutePlan, index: number, travel: TravelModel): number {
  const stop = plan.stops[index];
  if (stop === undefined || stop.isReached) return 0;
  return travel.durationMs(placeBefore(plan, index), stop.place);
}

/** Where the car comes from on its way to position `index`. */
export function placeBefore(plan: RoutePlan, index: number): Place {
  return plan.stops[index - 1]?.place ?? plan.position;
}

/** When the car is at each stop if it drives the plan without a pause, ms since 1970. */
export function etasMs(plan: RoutePlan, travel: TravelModel): number[] {
  let atMs = plan.startMs;
  return plan.stops.map((_, index) => {
    atMs += legMs(plan, index, travel);
    return atMs;
  });
}

/** Seats held before the first remaining stop: those of riders who are aboard. */
export function seatsAboard(stops: readonly PlannedStop[]): number {
  const waiting = new Set(stops.filter((stop) => stop.kind === 'pickup').map((stop) => stop.rideId));
  return stops.reduce((sum, stop) => (waiting.has(stop.rideId) ? sum : sum + stop.seatsHeld), 0);
}

/** Seats held on the leg *to* each stop, and last the leg after all of them. */
export function loads(stops: readonly PlannedStop[]): number[] {
  const result = [seatsAboard(stops)];
  for (const stop of stops) {
    const held = result.at(-1) as number;
    result.push(stop.kind === 'pickup' ? held + stop.seatsHeld : held - stop.seatsHeld);
  }
  return result;
}
