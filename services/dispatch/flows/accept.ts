/**
 * The driver says yes.
 *
 * Invariant: of all who accept a ride at once one wins, and the seats and promises of everybody aboard and planned are
 * checked again under the lock of the plan, from where the car is now: an offer is a question, not a reservation. Who loses
 * is told offer-gone, and the ride goes back to the search. Accepting twice is no error.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { decideInsertion } from '../domain/insertion.ts';
import type { DispatchDeps, DriverPosition } from '../ports.ts';
import { setOfferStatus } from '../store/offers.ts';
import type { Offer } from '../store/offers.ts';
import type { Ride } from '../store/rides.ts';
import type { Route } from '../store/routes.ts';
import { findOpenStops } from '../store/stops.ts';
import type { OpenStop, Stop } from '../store/stops.ts';
import { closeOffer, findOwnOffer, lockAll, offerGone } from './close-offer.ts';
import type { Ending } from './close-offer.ts';
import { newRider, planOf, saveInsertion } from './plan.ts';
import { travelOf } from './travel-now.ts';
import { advanceRide, publishPlan, write } from './write.ts';
import type { Write } from './write.ts';

export type Accepted = { readonly offer: Offer; readonly ride: Ride; readonly route: Route; readonly stops: readonly Stop[] };

/** A lost race still commits (the offer is closed), so it is a value until the transaction is over. */
type Outcome = ({ readonly kind: 'accepted' } & Accepted) | { readonly kind: 'gone'; readonly why: string };

type Held = { readonly ride: Ride; readonly route: Route; readonly offer: Offer };

/** Throws not-found, not-home, offer-gone (details.reason), upstream-unavailable where nobody knows where the car is. */
export async function acceptOffer(deps: DispatchDeps, input: { offerId: bigint; driverId: bigint }): Promise<Accepted> {
  const offer = await findOwnOffer(deps, input);
  if (offer.status !== 'open' && offer.status !== 'accepted') throw offerGone(offer);
  const position = await deps.location.position(input.driverId);
  const outcome = await write(deps, (on) => accept(on, offer, position));
  if (outcome.kind === 'gone') throw offerGone(offer, outcome.why);
  return outcome;
}

async function accept(on: Write, found: Offer, position: DriverPosition | undefined): Promise<Outcome> {
  const held = await lockAll(on, found);
  const { ride, route, offer } = held;
  if (offer.status !== 'open' && offer.status !== 'accepted') return { kind: 'gone', why: offer.status };
  const stops = (await findOpenStops(on.tx, [route.id])).get(route.id) ?? [];
  if (offer.status === 'accepted') return { kind: 'accepted', ...held, stops };
  on.deps.units.assertHome(ride.unit);
  if (offer.expiresAt <= on.now) return lose(on, held, { status: 'expired', reason: 'expired' });
  if (ride.status !== 'requested') return lose(on, held, { status: 'withdrawn', reason: 'withdrawn' });
  if (position === undefined) {
    throw new TandemError('upstream-unavailable', `no fresh position of driver ${offer.driverId}`, { details: { service: 'location' } });
  }
  return insert(on, held, stops, position);
}

async function insert(on: Write, held: Held, stops: readonly OpenStop[], position: DriverPosition): Promise<Outcome> {
  const { ride, route, offer } = held;
  const travel = travelOf(on.deps.policy.current());
  const plan = planOf(route, stops, { position: position.place, startMs: on.now.getTime() });
  const insertion = decideInsertion(plan, newRider(ride, route.seats), travel);
  if (insertion.kind === 'infeasible') return lose(on, held, { status: 'withdrawn', reason: 'not-feasible' });
  const planned = await saveInsertion(on, { ride, route, stops, insertion });
  await setOfferStatus(on.tx, offer.id, 'accepted');
  const assigned = await advanceRide(
    on,
    ride,
    { status: 'assigned', driverId: route.driverId, routeId: route.id, assignedAt: on.now, nextDispatchAt: null },
    {
      type: 'assigned',
      data: { driverId: route.driverId.toString(), ...etasOfRide(planned, ride.id) },
    },
  );
  const published = await publishPlan(on, route, planned);
  on.deps.metrics.assigned();
  return { kind: 'accepted', offer: { ...offer, status: 'accepted' }, ride: assigned, route: published, stops: planned };
}

async function lose(on: Write, held: Held, ending: Ending): Promise<Outcome> {
  await closeOffer(on, held, ending);
  return { kind: 'gone', why: ending.reason };
}

function etasOfRide(stops: readonly Stop[], rideId: bigint): Record<string, string> {
  const own = stops.filter((stop) => stop.rideId === rideId);
  return Object.fromEntries(own.map((stop) => [`${stop.kind}EtaAt`, stop.etaAt.toISOString()]));
}
