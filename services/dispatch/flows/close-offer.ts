/**
 * The ends of an offer other than yes: declined, expired, withdrawn.
 *
 * Invariant: a closed offer stays closed; the driver is told, and a ride that still waits is searched for at once. The
 * closed row remains: it is why that driver is not asked again.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { DispatchDeps } from '../ports.ts';
import { findOffer, findOpenOffersOfDriver, lockOffer, setOfferStatus } from '../store/offers.ts';
import type { Offer } from '../store/offers.ts';
import { updateRide } from '../store/rides.ts';
import type { Ride } from '../store/rides.ts';
import type { Route } from '../store/routes.ts';
import { absent, notTheirs } from './absent.ts';
import { lockRideAndRoute } from './lock-order.ts';
import { tellDriver, write } from './write.ts';
import type { Write } from './write.ts';

export type Ending = {
  readonly status: 'declined' | 'expired' | 'withdrawn';
  readonly reason: 'declined' | 'expired' | 'withdrawn' | 'ride-cancelled' | 'not-feasible' | 'shift-off';
};

/** Ride, route and offer are locked, the offer open. Answers the route with its newest event. */
export async function closeOffer(on: Write, held: { ride: Ride; route: Route; offer: Offer }, ending: Ending): Promise<Route> {
  const { ride, route, offer } = held;
  await setOfferStatus(on.tx, offer.id, ending.status);
  // The unit of the ride may have moved to the peer meanwhile; it is searched for there.
  if (ride.status === 'requested' && on.deps.units.isHome(ride.unit)) {
    await updateRide(on.tx, ride, { nextDispatchAt: on.now });
    on.told.search = true;
  }
  on.deps.metrics.offerEnded(ending.reason);
  return tellDriver(on, route, 'offer-closed', { offerId: offer.id.toString(), reason: ending.reason });
}

/** The driver says no. Saying it twice is no error. Throws not-found, not-home, offer-gone. */
export async function declineOffer(deps: DispatchDeps, input: { offerId: bigint; driverId: bigint }): Promise<{ offer: Offer; ride: Ride }> {
  const offer = await findOwnOffer(deps, input);
  return write(deps, async (on) => {
    const held = await lockAll(on, offer);
    if (held.offer.status === 'declined') return held;
    if (held.offer.status !== 'open') throw offerGone(held.offer);
    await closeOffer(on, held, { status: 'declined', reason: 'declined' });
    return { offer: { ...held.offer, status: 'declined' }, ride: held.ride };
  });
}

/** Closes an offer that may have been closed meanwhile; answers whether this call did it. */
export async function endOffer(deps: DispatchDeps, offer: Offer, ending: Ending): Promise<boolean> {
  return write(deps, async (on) => {
    const held = await lockAll(on, offer);
    if (held.offer.status !== 'open') return false;
    if (ending.status === 'expired' && held.offer.expiresAt > on.now) return false;
    await closeOffer(on, held, ending);
    return true;
  });
}

export async function withdrawOffersOfDriver(deps: DispatchDeps, driverId: bigint): Promise<void> {
  for (const offer of await findOpenOffersOfDriver(deps.db, driverId)) {
    await endOffer(deps, offer, { status: 'withdrawn', reason: 'shift-off' });
  }
}

/** An offer that is there, the driver's own, and to be answered in this region. */
export async function findOwnOffer(deps: DispatchDeps, input: { offerId: bigint; driverId: bigint }): Promise<Offer> {
  const offer = await findOffer(deps.db, input.offerId);
  if (offer === undefined) throw absent('offer', input.offerId);
  if (offer.driverId !== input.driverId) throw notTheirs('offer', input.offerId);
  deps.units.assertHome(offer.unit);
  return offer;
}

export async function lockAll(
  on: Write,
  { id, rideId, routeId }: Pick<Offer, 'id' | 'rideId' | 'routeId'>,
): Promise<{ ride: Ride; route: Route; offer: Offer }> {
  const { ride, route } = await lockRideAndRoute(on.tx, { rideId, routeId });
  const offer = await lockOffer(on.tx, id);
  if (offer === undefined) throw absent('offer', id);
  return { ride, route, offer };
}

export function offerGone(offer: Offer, why: string = offer.status): TandemError {
  return new TandemError('offer-gone', `offer ${offer.id} is gone: ${why}`, { details: { reason: why } });
}
