/**
 * Puts a waiting ride to a driver, or gives it up when its time is over.
 *
 * Invariant: under the locks of ride and route nobody else can offer this ride or ask this driver, so there is one open
 * offer for each at most, however many dispatchers run. The plan the proposal was made for must still stand (version).
 */
import type { DispatchDeps } from '../ports.ts';
import { findOpenOffersOfRide, insertOffer, mayOffer } from '../store/offers.ts';
import type { Offer } from '../store/offers.ts';
import { lockRide, updateRide } from '../store/rides.ts';
import { offerView } from '../wire.ts';
import { lockRideAndRoute } from './lock-order.ts';
import type { Proposal } from './search.ts';
import { advanceRide, tellDriver, write } from './write.ts';

/** Undefined where things have changed since the proposal was made; the ride comes up again by itself. */
export async function makeOffer(deps: DispatchDeps, proposal: Proposal): Promise<Offer | undefined> {
  return write(deps, async (on) => {
    const { ride, route } = await lockRideAndRoute(on.tx, { rideId: proposal.ride.id, routeId: proposal.route.id });
    if (ride.status !== 'requested' || !route.isOpen || route.version !== proposal.route.version) return undefined;
    if (ride.latestPickupAt <= on.now) return undefined;
    if (!(await mayOffer(on.tx, { rideId: ride.id, driverId: route.driverId }))) return undefined;
    const ttlMs = deps.policy.current().offerTtlS * 1000;
    const offer: Offer = {
      id: deps.ids.next(),
      rideId: ride.id,
      driverId: route.driverId,
      routeId: route.id,
      status: 'open',
      expiresAt: new Date(Math.min(on.now.getTime() + ttlMs, ride.latestPickupAt.getTime())),
      unit: route.unit,
    };
    await insertOffer(on.tx, offer);
    // No search while somebody thinks it over; closing the offer makes the ride due again.
    await updateRide(on.tx, ride, { nextDispatchAt: offer.expiresAt });
    await tellDriver(on, route, 'offer', { offer: offerView(offer, ride) });
    return offer;
  });
}

export const NO_DRIVER_IN_TIME = 'no-driver-in-time';

/** Answers whether the ride was given up; not while an offer is still open. */
export async function rejectOverdueRide(deps: DispatchDeps, rideId: bigint): Promise<boolean> {
  return write(deps, async (on) => {
    const ride = await lockRide(on.tx, rideId);
    if (ride === undefined || ride.status !== 'requested' || ride.latestPickupAt > on.now) return false;
    if ((await findOpenOffersOfRide(on.tx, ride.id)).length > 0) return false;
    await advanceRide(
      on,
      ride,
      { status: 'rejected', statusReason: NO_DRIVER_IN_TIME, nextDispatchAt: null },
      { type: 'rejected', data: { reason: NO_DRIVER_IN_TIME } },
    );
    return true;
  });
}
