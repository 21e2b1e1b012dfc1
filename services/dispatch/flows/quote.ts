/**
 * What a ride would cost and what would be promised if it were booked now.
 *
 * Invariant: the price is pricing's, for the direct ride as a real car drives; the promise shown is for a booking at once
 * and is made anew, never worse in its limits, when the ride is booked. Making a quote writes nothing.
 */
import type { Place } from '../../../shared/unit/place.ts';
import { unitOfPlace, zoneOf } from '../../../shared/unit/unit.ts';
import type { DispatchDeps } from '../ports.ts';
import type { Quote } from '../store/quotes.ts';
import { promiseOf, unscaledTravelOf } from './travel-now.ts';

export type QuoteRequest = {
  readonly riderId: bigint;
  readonly pickup: Place;
  readonly dropoff: Place;
  readonly seats: number;
  readonly pooled: boolean;
};

/** Throws what pricing throws. */
export async function makeQuote(deps: DispatchDeps, request: QuoteRequest): Promise<Quote> {
  const { pickup, dropoff, seats, pooled } = request;
  const policy = deps.policy.current();
  const requestedMs = deps.nowMs();
  const travel = unscaledTravelOf(policy);
  const distanceM = Math.round(travel.distanceM(pickup, dropoff));
  const durationS = Math.ceil(travel.durationMs(pickup, dropoff) / 1000);
  const fare = await deps.pricing.quote({ pickup, dropoff, distanceM, durationS, seats, pooled, atMs: requestedMs });
  const promise = promiseOf(policy, { pickup, dropoff, requestedMs });
  return {
    id: deps.ids.next(),
    ...request,
    pickupZone: zoneOf(pickup),
    distanceM,
    durationS,
    ...fare,
    latestPickupAt: new Date(promise.latestPickupMs),
    latestArrivalAt: new Date(promise.latestArrivalMs),
    expiresAt: new Date(requestedMs + policy.quoteTtlS * 1000),
    unit: unitOfPlace(pickup),
  };
}
