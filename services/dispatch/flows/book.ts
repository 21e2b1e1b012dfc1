/**
 * Books a ride from a quote.
 *
 * Invariant: a quote becomes at most one ride (unique quote_id), at the price it showed. From here on the promise stands.
 * Finding a driver is the dispatcher's work.
 */
import { isTandemError, TandemError } from '../../../shared/kernel/tandem-error.ts';
import { unitOfAccount } from '../../../shared/unit/unit.ts';
import { drawOtp } from '../domain/otp.ts';
import type { DispatchDeps } from '../ports.ts';
import type { Quote } from '../store/quotes.ts';
import { findRideIdOfQuote, insertRide } from '../store/rides.ts';
import type { Ride } from '../store/rides.ts';
import { promiseOf } from './travel-now.ts';
import { appendRideEvent } from './write.ts';
import type { Write } from './write.ts';

/** Throws quote-expired; conflict (details.rideId) where the quote is used. */
export async function bookRide(on: Write, quote: Quote): Promise<Ride> {
  const usedBy = await findRideIdOfQuote(on.tx, quote.id);
  if (usedBy !== undefined) throw quoteUsed(quote, usedBy);
  if (quote.expiresAt <= on.now) {
    throw new TandemError('quote-expired', `quote ${quote.id} expired at ${quote.expiresAt.toISOString()}`);
  }
  const ride = newRide(on.deps, quote, on.now);
  try {
    await insertRide(on.tx, ride);
  } catch (cause) {
    if (!isTandemError(cause, 'db-duplicate')) throw cause;
    throw quoteUsed(quote, undefined);
  }
  await appendRideEvent(on, ride, {
    type: 'requested',
    data: { latestPickupAt: ride.latestPickupAt.toISOString(), latestArrivalAt: ride.latestArrivalAt.toISOString() },
  });
  on.told.search = true;
  return ride;
}

function newRide(deps: DispatchDeps, quote: Quote, now: Date): Ride {
  const { pickup, dropoff } = quote;
  const promise = promiseOf(deps.policy.current(), { pickup, dropoff, requestedMs: now.getTime() });
  return {
    id: deps.ids.next(),
    quoteId: quote.id,
    riderId: quote.riderId,
    payerUnit: unitOfAccount(quote.riderId),
    driverId: null,
    routeId: null,
    status: 'requested',
    statusReason: null,
    pickup,
    dropoff,
    seats: quote.seats,
    pooled: quote.pooled,
    fareCents: quote.fareCents,
    currency: quote.currency,
    breakdown: quote.breakdown,
    otp: drawOtp(deps.randomBelow),
    otpFailures: 0,
    latestPickupAt: new Date(promise.latestPickupMs),
    latestArrivalAt: new Date(promise.latestArrivalMs),
    nextDispatchAt: now,
    requestedAt: now,
    assignedAt: null,
    arrivedAt: null,
    boardedAt: null,
    completedAt: null,
    cancelledAt: null,
    eventSeq: 1,
    rating: null,
    unit: quote.unit,
  };
}

function quoteUsed(quote: Quote, rideId: bigint | undefined): TandemError {
  const details = rideId === undefined ? {} : { rideId: rideId.toString() };
  return new TandemError('conflict', `quote ${quote.id} has been booked already`, { details });
}
