/**
 * From a fare card and a trip to a fare, in integer cents.
 * Rounding rule: every line is computed exactly (as a fraction of a cent), the whole fare is rounded once, half a cent
 * up, and the cents are dealt out over the lines by largest remainder (apportion.ts). Tax is one of the lines; what is
 * left after it is split between driver and commission by largest remainder too.
 * Invariant: lines sum to fareCents; driverCents + commissionCents + taxCents = fareCents; a pooled fare is never above
 * the solo fare of the same trip and seats, because both are one rounding of an exact price and the pooled exact price
 * is the solo one less a discount.
 * It knows no surge and no zones yet: they join as further lines of `exactLines`.
 */
import { assert } from '../../../shared/kernel/assert.ts';
import { apportion, roundHalfUp } from './apportion.ts';
import type { FareCard } from './fare-card.ts';

export type Trip = {
  readonly distanceM: number;
  readonly durationS: number;
  readonly seats: number;
  readonly riding: 'solo' | 'pooled';
};

export type FareLineKind = 'base' | 'distance' | 'time' | 'minimum' | 'extra-seats' | 'pooling' | 'tax';
export type FareLine = { readonly kind: FareLineKind; readonly label: string; readonly cents: number };

export type Fare = {
  readonly fareCents: number;
  readonly currency: string;
  readonly fareCardVersion: number;
  readonly lines: readonly FareLine[];
  readonly driverCents: number;
  readonly commissionCents: number;
  readonly taxCents: number;
};

/**
 * Exact amounts are integers in 1/SCALE cents. 3,000 is divisible by both 1,000 m and 60 s; each of seats, pooling and
 * tax then multiplies by a permille, so one further factor of 1,000 each keeps every division exact.
 */
const TRIP_SCALE = 3_000n;
const SCALE = TRIP_SCALE * 1_000n ** 3n;
const PERMILLE = 1_000n;

type ExactLine = { readonly kind: FareLineKind; readonly label: string; readonly exact: bigint };

/** Prices a trip whose figures are non-negative integers (the caller validates). Amounts are cents of the card's currency. */
export function priceTrip(card: FareCard, trip: Trip): Fare {
  assert(Number.isInteger(trip.distanceM) && trip.distanceM >= 0, 'distanceM is a non-negative integer');
  assert(Number.isInteger(trip.durationS) && trip.durationS >= 0, 'durationS is a non-negative integer');
  assert(Number.isInteger(trip.seats) && trip.seats >= 1, 'seats is a positive integer');
  const exactLines = linesOf(card, trip);
  const exactAmounts = exactLines.map((line) => line.exact);
  const fareCents = roundHalfUp(sum(exactAmounts), SCALE);
  const cents = apportion(exactAmounts, SCALE, fareCents);
  const lines = exactLines
    .map((line, index) => ({ kind: line.kind, label: line.label, cents: Number(cents[index]) }))
    .filter((line) => line.cents !== 0);
  const taxCents = lines.find((line) => line.kind === 'tax')?.cents ?? 0;
  const split = splitNet(Number(fareCents) - taxCents, card.commissionPermille);
  return { fareCents: Number(fareCents), currency: card.currency, fareCardVersion: card.version, lines, taxCents, ...split };
}

function linesOf(card: FareCard, trip: Trip): ExactLine[] {
  const base = BigInt(card.baseCents) * SCALE;
  const distance = BigInt(card.perKmCents) * BigInt(trip.distanceM) * (SCALE / 1_000n);
  const time = BigInt(card.perMinuteCents) * BigInt(trip.durationS) * (SCALE / 60n);
  const metered = base + distance + time;
  const least = BigInt(card.minimumCents) * SCALE;
  const minimum = metered < least ? least - metered : 0n;
  const oneSeat = metered + minimum;
  const extraSeats = share(oneSeat, BigInt(trip.seats - 1) * BigInt(card.extraSeatPermille));
  const solo = oneSeat + extraSeats;
  const pooling = trip.riding === 'pooled' ? -share(solo, BigInt(card.poolingDiscountPermille)) : 0n;
  const tax = share(solo + pooling, BigInt(card.taxPermille));
  return [
    { kind: 'base', label: 'Base fare', exact: base },
    { kind: 'distance', label: `Distance, ${(trip.distanceM / 1_000).toFixed(1)} km`, exact: distance },
    { kind: 'time', label: `Time, ${Math.round(trip.durationS / 60)} min`, exact: time },
    { kind: 'minimum', label: 'Up to the minimum fare', exact: minimum },
    { kind: 'extra-seats', label: `Extra seats, ${trip.seats - 1}`, exact: extraSeats },
    { kind: 'pooling', label: 'Pooling discount', exact: pooling },
    { kind: 'tax', label: 'Tax', exact: tax },
  ];
}

/** Net cents between driver and commission: two parts, largest remainder, the driver's cent first on a tie. */
function splitNet(netCents: number, commissionPermille: number): { driverCents: number; commissionCents: number } {
  const net = BigInt(netCents);
  const commission = net * BigInt(commissionPermille);
  const [driverCents, commissionCents] = apportion([net * PERMILLE - commission, commission], PERMILLE, net);
  return { driverCents: Number(driverCents), commissionCents: Number(commissionCents) };
}

/** Exact permille of an exact amount: the scale leaves room for each of them (see SCALE). */
function share(exact: bigint, permille: bigint): bigint {
  const product = exact * permille;
  assert(product % PERMILLE === 0n, 'the scale keeps every share exact');
  return product / PERMILLE;
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n);
}
