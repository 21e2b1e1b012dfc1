/**
 * A made-up day of trips for where no real one can be had. Pure: the same seed gives the same day.
 *
 * Pick-ups follow a day's shape (a low at five, peaks at nine and at twenty-one) over a rectangle of Manhattan; trip lengths
 * fall off as those of taxis do. It claims no more likeness than that.
 */
import type { Trip } from '../../../chaos/workloads/rider.ts';

export const SYNTHETIC_SEED = 20_141_221;
export const SYNTHETIC_TRIPS = 18_000;

/** Share of a day's trips by hour. */
const HOURLY = [30, 22, 15, 9, 6, 6, 14, 32, 46, 52, 46, 44, 46, 46, 48, 48, 46, 52, 62, 68, 66, 70, 58, 42];
/** Along the island's axis from the Battery to 110th Street, and across it. */
const SOUTH_TIP = { lat: 40.7055, lon: -74.0145 };
const ALONG = { lat: 0.0935, lon: 0.0615 };
const ACROSS = { lat: 0.0105, lon: -0.0225 };
/** Mean share of the axis that a trip covers. */
const MEAN_SHARE = 0.18;

export function syntheticDay(count: number = SYNTHETIC_TRIPS, seed: number = SYNTHETIC_SEED): Trip[] {
  const random = mulberry32(seed);
  const times = Array.from({ length: count }, () => timeOfDay(random)).toSorted((a, b) => a - b);
  return times.map((tS, index) => {
    const from = { along: random(), across: random() };
    const reach = -Math.log(1 - random() * 0.99) * MEAN_SHARE * (random() < 0.5 ? -1 : 1);
    const to = { along: reflect(from.along + reach), across: random() };
    return { requestId: String(index), tS, pickup: place(from), dropoff: place(to) };
  });
}

function timeOfDay(random: () => number): number {
  let left = random() * HOURLY.reduce((sum, share) => sum + share, 0);
  const hour = HOURLY.findIndex((share) => (left -= share) < 0);
  return Math.floor((Math.max(0, hour) + random()) * 3_600);
}

function place({ along, across }: { along: number; across: number }): Trip['pickup'] {
  return {
    lat: roundDegrees(SOUTH_TIP.lat + ALONG.lat * along + ACROSS.lat * across),
    lon: roundDegrees(SOUTH_TIP.lon + ALONG.lon * along + ACROSS.lon * across),
  };
}

/** Six decimals, about a hand's breadth. */
function roundDegrees(degrees: number): number {
  return Math.round(degrees * 1e6) / 1e6;
}

/** Back into [0, 1] as from a wall: trips turn round at the ends of the island. */
function reflect(x: number): number {
  const folded = Math.abs(x) % 2;
  return folded > 1 ? 2 - folded : folded;
}

/** A small generator with 32 bits of state (T. Ettinger's mulberry32); good enough for places and times. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
