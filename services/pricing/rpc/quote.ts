/**
 * Pricing.Quote: checks a request and prices it under the card effective at its time.
 * Invariant: pure but for the cards and the clock it is given; the answer obeys pricing.proto's sums.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { FareCard } from '../domain/fare-card.ts';
import { priceTrip } from '../domain/fare.ts';
import type { Fare } from '../domain/fare.ts';

/** As the loader gives it: camelCase, int64 as text, absent scalars as 0. */
export type QuoteRequest = {
  readonly pickup: PlaceMessage | null;
  readonly dropoff: PlaceMessage | null;
  readonly distanceM: number;
  readonly durationS: number;
  readonly seats: number;
  readonly pooled: boolean;
  readonly atMs: string;
};
type PlaceMessage = { readonly lat: number; readonly lon: number };

/** pricing.proto's service, as shared/rpc types it on both sides. */
export interface PricingMethods {
  Quote(request: QuoteRequest): Promise<Fare>;
}

export const SEATS_MAX = 4;
/** 500 km and 24 h: further is no city ride. */
export const DISTANCE_M_MAX = 500_000;
export const DURATION_S_MAX = 86_400;

/** Throws validation-failed (details.errors lists every bad field) and not-ready (no card is effective). */
export function answerQuote(
  request: QuoteRequest,
  deps: { readonly cards: { at(atMs: number): FareCard | undefined }; readonly nowMs: () => number },
): Fare {
  const seats = request.seats === 0 ? 1 : request.seats;
  const atMs = Number(request.atMs) === 0 ? deps.nowMs() : Number(request.atMs);
  const errors = faultsOf(request, seats, atMs);
  if (errors.length > 0) {
    throw new TandemError('validation-failed', errors.map((error) => `${error.field} ${error.message}`).join('; '), { details: { errors } });
  }
  const card = deps.cards.at(atMs);
  if (card === undefined) {
    throw new TandemError('not-ready', `no fare card is effective at ${new Date(atMs).toISOString()}`);
  }
  const { distanceM, durationS, pooled } = request;
  return priceTrip(card, { distanceM, durationS, seats, riding: pooled ? 'pooled' : 'solo' });
}

function faultsOf(request: QuoteRequest, seats: number, atMs: number): { field: string; message: string }[] {
  const checks: [field: string, isGood: boolean, message: string][] = [
    ['pickup', isPlace(request.pickup), 'must be a place: lat -90 to 90, lon -180 to 180'],
    ['dropoff', isPlace(request.dropoff), 'must be a place: lat -90 to 90, lon -180 to 180'],
    ['distance_m', isWithin(request.distanceM, 0, DISTANCE_M_MAX), `must be 0 to ${DISTANCE_M_MAX}`],
    ['duration_s', isWithin(request.durationS, 0, DURATION_S_MAX), `must be 0 to ${DURATION_S_MAX}`],
    ['seats', isWithin(seats, 1, SEATS_MAX), `must be 1 to ${SEATS_MAX}`],
    ['at_ms', isWithin(atMs, 0, MAX_DATE_MS), 'must be ms since 1970'],
  ];
  return checks.filter(([, isGood]) => !isGood).map(([field, , message]) => ({ field, message }));
}

/** The last moment a Date can hold. */
const MAX_DATE_MS = 8.64e15;

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

function isPlace(place: PlaceMessage | null): boolean {
  return place !== null && Number.isFinite(place.lat) && Number.isFinite(place.lon) && Math.abs(place.lat) <= 90 && Math.abs(place.lon) <= 180;
}
