/**
 * How dispatch's things look to riders and drivers: the one shape for HTTP answers and for events.
 *
 * Invariant: 64-bit ids are decimal strings, times RFC 3339 UTC, money {amountCents, currency}. The OTP goes to the rider
 * of the ride and to nobody else.
 */
import type { Offer } from './store/offers.ts';
import type { Vehicle } from './store/people.ts';
import type { Quote } from './store/quotes.ts';
import type { Ride } from './store/rides.ts';
import type { Route } from './store/routes.ts';
import type { Stop } from './store/stops.ts';

type StoredBreakdown = { readonly lines: readonly { kind: string; label: string; cents: number }[] };

export function quoteView(quote: Quote) {
  return {
    id: quote.id.toString(),
    pickup: quote.pickup,
    dropoff: quote.dropoff,
    seats: quote.seats,
    pooled: quote.pooled,
    fare: { amountCents: quote.fareCents, currency: quote.currency },
    breakdown: breakdownView(quote.breakdown),
    distanceM: quote.distanceM,
    durationS: quote.durationS,
    promise: promiseView(quote),
    expiresAt: quote.expiresAt.toISOString(),
  };
}

export function rideView(ride: Ride, viewer: 'rider' | 'other') {
  return {
    id: ride.id.toString(),
    status: ride.status,
    statusReason: ride.statusReason,
    quoteId: ride.quoteId.toString(),
    riderId: ride.riderId.toString(),
    driverId: ride.driverId?.toString() ?? null,
    routeId: ride.routeId?.toString() ?? null,
    pickup: ride.pickup,
    dropoff: ride.dropoff,
    seats: ride.seats,
    pooled: ride.pooled,
    fare: { amountCents: ride.fareCents, currency: ride.currency },
    breakdown: breakdownView(ride.breakdown),
    ...(viewer === 'rider' ? { otp: ride.otp } : {}),
    promise: promiseView(ride),
    requestedAt: ride.requestedAt.toISOString(),
    assignedAt: ride.assignedAt?.toISOString() ?? null,
    arrivedAt: ride.arrivedAt?.toISOString() ?? null,
    boardedAt: ride.boardedAt?.toISOString() ?? null,
    completedAt: ride.completedAt?.toISOString() ?? null,
    cancelledAt: ride.cancelledAt?.toISOString() ?? null,
    rating: ride.rating,
  };
}

/** What a driver must know to say yes or no. */
export function offerView(offer: Offer, ride: Ride) {
  return {
    id: offer.id.toString(),
    rideId: ride.id.toString(),
    status: offer.status,
    pickup: ride.pickup,
    dropoff: ride.dropoff,
    seats: ride.seats,
    fare: { amountCents: ride.fareCents, currency: ride.currency },
    expiresAt: offer.expiresAt.toISOString(),
  };
}

export function stopView(stop: Stop) {
  return {
    id: stop.id.toString(),
    rideId: stop.rideId.toString(),
    kind: stop.kind,
    lat: stop.place.lat,
    lon: stop.place.lon,
    seats: stop.seats,
    status: stop.status,
    etaAt: stop.etaAt.toISOString(),
    latestAt: stop.latestAt.toISOString(),
  };
}

export function routeView(route: Route, stops: readonly Stop[]) {
  return { id: route.id.toString(), version: route.version, stops: stops.map(stopView) };
}

export function shiftView(input: { driverId: bigint; route: Route | undefined; vehicle: Vehicle | undefined }) {
  const { driverId, route, vehicle } = input;
  return {
    driverId: driverId.toString(),
    status: route?.isOpen === true ? ('on' as const) : ('off' as const),
    routeId: route?.isOpen === true ? route.id.toString() : null,
    vehicle: vehicle === undefined ? null : { id: vehicle.id.toString(), plate: vehicle.plate, seats: vehicle.seats },
  };
}

function promiseView(told: { latestPickupAt: Date; latestArrivalAt: Date }) {
  return { latestPickupAt: told.latestPickupAt.toISOString(), latestArrivalAt: told.latestArrivalAt.toISOString() };
}

function breakdownView(stored: string) {
  const { lines } = JSON.parse(stored) as StoredBreakdown;
  return lines.map(({ kind, label, cents }) => ({ kind, label, amountCents: cents }));
}
