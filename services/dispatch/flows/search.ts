/**
 * Finds for each waiting ride the driver with the cheapest feasible place for it.
 *
 * Invariant: it only reads, a handful of queries for the whole batch however many candidates there are; what it proposes
 * is checked again under lock by make-offer.ts. In one batch no driver is proposed twice. A ride is offered only to drivers
 * whose unit is at home here, so that one region writes ride and route in one transaction.
 */
import type { Place } from '../../../shared/unit/place.ts';
import { decideInsertion } from '../domain/insertion.ts';
import type { TravelModel } from '../domain/travel.ts';
import type { DispatchDeps, DriverPosition } from '../ports.ts';
import type { DueRide } from '../store/due-rides.ts';
import { findAsked, findAskedDrivers } from '../store/offers.ts';
import { findOpenRoutes } from '../store/routes.ts';
import type { Route } from '../store/routes.ts';
import { findOpenStops } from '../store/stops.ts';
import type { OpenStop } from '../store/stops.ts';
import { newRider, planOf } from './plan.ts';
import { travelOf } from './travel-now.ts';

/** What location.proto allows. */
const RADIUS_M_MAX = 20_000;

export type Proposal = { readonly ride: DueRide; readonly route: Route; readonly addedMs: number };

/** Rides for which nobody was found are left out. */
export async function proposeDrivers(deps: DispatchDeps, rides: readonly DueRide[]): Promise<Proposal[]> {
  const travel = travelOf(deps.policy.current());
  const asked = await loadAsked(deps, rides);
  const waiting = rides.filter((ride) => asked.get(ride.id)?.hasOpen !== true);
  const near = await Promise.all(waiting.map((ride) => findNear(deps, ride, travel)));
  const cars = await loadCars(deps, near.flat());
  const proposals: Proposal[] = [];
  const taken = new Set<bigint>();
  for (const [index, ride] of waiting.entries()) {
    const exclude = asked.get(ride.id)?.driverIds;
    const candidates = (near[index] ?? []).filter(({ driverId }) => !taken.has(driverId) && exclude?.has(driverId) !== true);
    const best = cheapest(ride, candidates, { cars, travel, startMs: deps.nowMs() });
    if (best === undefined) continue;
    taken.add(best.route.driverId);
    proposals.push(best);
  }
  return proposals;
}

/** A car that may be asked: on shift, at home here, without an open offer. */
type Car = { readonly route: Route; readonly stops: readonly OpenStop[] };
type Fleet = { readonly cars: ReadonlyMap<bigint, Car>; readonly travel: TravelModel; readonly startMs: number };

function cheapest(ride: DueRide, candidates: readonly DriverPosition[], { cars, travel, startMs }: Fleet): Proposal | undefined {
  let best: Proposal | undefined;
  for (const { driverId, place } of candidates) {
    const car = cars.get(driverId);
    if (car === undefined) continue;
    const { route, stops } = car;
    const insertion = decideInsertion(planOf(route, stops, { position: place, startMs }), newRider(ride, route.seats), travel);
    if (insertion.kind === 'feasible' && (best === undefined || insertion.addedMs < best.addedMs)) {
      best = { ride, route, addedMs: insertion.addedMs };
    }
  }
  return best;
}

/** Whoever is further away as the crow flies cannot be at the pick-up in time, so nobody feasible is missed. */
async function findNear(deps: DispatchDeps, ride: DueRide, travel: TravelModel): Promise<DriverPosition[]> {
  const place: Place = ride.pickup;
  const reachM = travel.reachM(ride.latestPickupAt.getTime() - deps.nowMs());
  const radiusM = Math.min(RADIUS_M_MAX, Math.max(1, Math.ceil(reachM)));
  try {
    return await deps.location.nearest({ place, limit: deps.policy.current().candidates, radiusM });
  } catch (e) {
    // Without location this ride waits for its next turn; the others of the batch must not wait with it.
    deps.metrics.searchFailed();
    deps.log.warn({ err: e, rideId: ride.id.toString() }, 'no drivers to be had from location');
    return [];
  }
}

async function loadAsked(deps: DispatchDeps, rides: readonly DueRide[]): Promise<Map<bigint, { driverIds: Set<bigint>; hasOpen: boolean }>> {
  const byRide = new Map<bigint, { driverIds: Set<bigint>; hasOpen: boolean }>();
  for (const { rideId, driverId, status } of await findAsked(deps.db, rides.map((ride) => ride.id))) {
    const asked = byRide.get(rideId) ?? { driverIds: new Set(), hasOpen: false };
    asked.driverIds.add(driverId);
    asked.hasOpen ||= status === 'open';
    byRide.set(rideId, asked);
  }
  return byRide;
}

async function loadCars(deps: DispatchDeps, near: readonly DriverPosition[]): Promise<Map<bigint, Car>> {
  const driverIds = [...new Set(near.map(({ driverId }) => driverId))];
  const [routes, busy] = await Promise.all([findOpenRoutes(deps.db, driverIds), findAskedDrivers(deps.db, driverIds)]);
  const free = routes.filter((route) => deps.units.isHome(route.unit) && !busy.has(route.driverId));
  const stops = await findOpenStops(deps.db, free.map((route) => route.id));
  return new Map(free.map((route) => [route.driverId, { route, stops: stops.get(route.id) ?? [] }]));
}
