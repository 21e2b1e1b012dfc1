/**
 * The rider (or an operator) calls a ride off before boarding.
 *
 * Invariant: it leaves no planned stop and no open offer behind, and whoever was to drive is told, all in one transaction.
 * Cancelling twice is no error. It charges no fee.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { decideMove } from '../domain/ride-state.ts';
import type { DispatchDeps } from '../ports.ts';
import { findOpenOffersOfRide } from '../store/offers.ts';
import { lockRide } from '../store/rides.ts';
import type { Ride } from '../store/rides.ts';
import type { Route } from '../store/routes.ts';
import { cancelStopsOfRide, findOpenStops } from '../store/stops.ts';
import { absent } from './absent.ts';
import { closeOffer } from './close-offer.ts';
import { lockRoutes } from './lock-order.ts';
import { advanceRide, publishPlan, write } from './write.ts';
import type { Write } from './write.ts';

/** Throws not-found, not-home (a driver of it may be at home elsewhere), conflict once the rider is aboard or it is over. */
export async function cancelRide(deps: DispatchDeps, input: { rideId: bigint; reason: string }): Promise<Ride> {
  return write(deps, async (on) => {
    const ride = await lockRide(on.tx, input.rideId);
    if (ride === undefined) throw absent('ride', input.rideId);
    deps.units.assertHome(ride.unit);
    const decision = decideMove(ride.status, 'cancelled');
    if (decision === 'already') return ride;
    if (decision === 'refuse') {
      throw new TandemError('conflict', `a ride that is ${ride.status} cannot be cancelled`, { details: { status: ride.status } });
    }
    // With the ride locked nobody else can bind a driver to it, so these are all there are.
    const offers = await findOpenOffersOfRide(on.tx, ride.id);
    const routeIds = [...offers.map((offer) => offer.routeId), ...(ride.routeId === null ? [] : [ride.routeId])];
    const routes = await lockRoutes(on.tx, routeIds);
    for (const route of routes.values()) deps.units.assertHome(route.unit);
    const cancelled = await advanceRide(
      on,
      ride,
      { status: 'cancelled', statusReason: input.reason, cancelledAt: on.now, nextDispatchAt: null },
      { type: 'cancelled', data: { reason: input.reason } },
    );
    for (const offer of offers) {
      const route = routes.get(offer.routeId) as Route;
      routes.set(route.id, await closeOffer(on, { ride: cancelled, route, offer }, { status: 'withdrawn', reason: 'ride-cancelled' }));
    }
    if (ride.routeId !== null) await dropStops(on, ride.id, routes.get(ride.routeId) as Route);
    return cancelled;
  });
}

/** Times of the stops that stay are left as they are: without a detour the car can only be earlier. */
async function dropStops(on: Write, rideId: bigint, route: Route): Promise<void> {
  await cancelStopsOfRide(on.tx, rideId);
  const stops = await findOpenStops(on.tx, [route.id]);
  await publishPlan(on, route, stops.get(route.id) ?? []);
}
