/**
 * From rows to the domain's plan and back.
 *
 * Invariant: an insertion changes only what it must: two new stops, and place and time of those that are there.
 */
import { assert } from '../../../shared/kernel/assert.ts';
import type { Place } from '../../../shared/unit/place.ts';
import type { Insertion, NewRider } from '../domain/insertion.ts';
import { etasMs, seatsHeld } from '../domain/route-plan.ts';
import type { PlannedStop, RoutePlan } from '../domain/route-plan.ts';
import type { TravelModel } from '../domain/travel.ts';
import type { Ride } from '../store/rides.ts';
import type { Route } from '../store/routes.ts';
import { insertStops, replanStops } from '../store/stops.ts';
import type { OpenStop, Stop } from '../store/stops.ts';
import type { Write } from './write.ts';

type WaitingRide = Pick<Ride, 'id' | 'pickup' | 'dropoff' | 'seats' | 'pooled' | 'latestPickupAt' | 'latestArrivalAt'>;

export function planOf(route: Pick<Route, 'seats'>, stops: readonly OpenStop[], start: { position: Place; startMs: number }): RoutePlan {
  return { seats: route.seats, ...start, stops: stops.map((stop) => plannedStop(stop, route.seats)) };
}

export function newRider(ride: WaitingRide, vehicleSeats: number): NewRider {
  return {
    rideId: ride.id,
    pickup: ride.pickup,
    dropoff: ride.dropoff,
    seatsHeld: seatsHeld(ride, vehicleSeats),
    latestPickupMs: ride.latestPickupAt.getTime(),
    latestArrivalMs: ride.latestArrivalAt.getTime(),
  };
}

/** Writes an insertion into the locked route; answers the remaining stops as they are now. */
export async function saveInsertion(
  { tx, deps }: Write,
  input: { ride: Ride; route: Route; stops: readonly OpenStop[]; insertion: Insertion },
): Promise<Stop[]> {
  const { ride, route, stops, insertion } = input;
  // Positions go on from where the route is, so that they keep growing along it whatever was done before.
  const base = stops[0]?.position ?? 0;
  const known = new Map(stops.map((stop) => [keyOf(stop), stop]));
  const all = insertion.stops.map((planned, index): Stop => {
    const place = { position: base + index, etaAt: new Date(insertion.etasMs[index] as number) };
    const existing = known.get(keyOf(planned));
    if (existing !== undefined) return { ...existing, ...place };
    assert(planned.rideId === ride.id, 'an insertion adds stops of one ride only');
    return {
      id: deps.ids.next(), routeId: route.id, rideId: ride.id, kind: planned.kind, place: planned.place, seats: ride.seats,
      latestAt: new Date(planned.latestMs), status: 'planned', arrivedAt: null, doneAt: null, unit: route.unit, ...place,
    };
  });
  await insertStops(tx, all.filter((stop) => stop.rideId === ride.id));
  await replanStops(tx, all.filter((stop) => stop.rideId !== ride.id));
  return all;
}

/** Sets the times of the remaining stops anew, from where the car is now. */
export async function retime(
  { tx, now }: Write,
  input: { route: Route; stops: readonly OpenStop[]; position: Place; travel: TravelModel },
): Promise<Stop[]> {
  const { route, stops, position, travel } = input;
  const etas = etasMs(planOf(route, stops, { position, startMs: now.getTime() }), travel);
  const retimed = stops.map((stop, index) => ({ ...stop, etaAt: new Date(etas[index] as number) }));
  await replanStops(tx, retimed);
  return retimed;
}

function plannedStop(stop: OpenStop, vehicleSeats: number): PlannedStop {
  return {
    rideId: stop.rideId,
    kind: stop.kind,
    place: stop.place,
    seatsHeld: seatsHeld(stop, vehicleSeats),
    latestMs: stop.latestAt.getTime(),
    isReached: stop.status === 'arrived',
  };
}

function keyOf(stop: { rideId: bigint; kind: string }): string {
  return `${stop.rideId}/${stop.kind}`;
}
