/**
 * Quotes: written once, never changed; whether one is used is asked of rides (its quote_id is unique there).
 */
import type { Sql } from '../../../shared/mysql/database.ts';
import type { Place } from '../../../shared/unit/place.ts';

export type Quote = {
  readonly id: bigint;
  readonly riderId: bigint;
  readonly pickup: Place;
  readonly dropoff: Place;
  readonly pickupZone: string;
  readonly seats: number;
  readonly pooled: boolean;
  /** Of the direct ride, as a real car drives. */
  readonly distanceM: number;
  readonly durationS: number;
  readonly fareCents: number;
  readonly currency: string;
  /** The JSON of pricing.proto, as text. */
  readonly breakdown: string;
  readonly fareCardVersion: number;
  readonly latestPickupAt: Date;
  readonly latestArrivalAt: Date;
  readonly expiresAt: Date;
  readonly unit: number;
};

export async function insertQuote(tx: Sql, quote: Quote): Promise<void> {
  await tx.execute(
    `INSERT INTO quotes (id, rider_id, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, pickup_zone, seats, pooled,
       distance_m, duration_s, fare_cents, currency, breakdown, fare_card_version,
       latest_pickup_at, latest_arrival_at, expires_at, unit)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      quote.id, quote.riderId, quote.pickup.lat, quote.pickup.lon, quote.dropoff.lat, quote.dropoff.lon,
      quote.pickupZone, quote.seats, quote.pooled ? 1 : 0, quote.distanceM, quote.durationS, quote.fareCents,
      quote.currency, quote.breakdown, quote.fareCardVersion, quote.latestPickupAt, quote.latestArrivalAt,
      quote.expiresAt, quote.unit,
    ],
  );
}

export async function findQuote(sql: Sql, id: bigint): Promise<Quote | undefined> {
  const [row] = await sql.query<QuoteRow>(
    `SELECT id, rider_id, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, pickup_zone, seats, pooled, distance_m,
       duration_s, fare_cents, currency, breakdown, fare_card_version, latest_pickup_at, latest_arrival_at, expires_at, unit
     FROM quotes WHERE id = ?`,
    [id],
  );
  return row === undefined ? undefined : quoteOf(row);
}

type QuoteRow = {
  id: bigint; rider_id: bigint; pickup_lat: number; pickup_lon: number; dropoff_lat: number; dropoff_lon: number;
  pickup_zone: string; seats: number; pooled: number; distance_m: number; duration_s: number; fare_cents: number;
  currency: string; breakdown: string; fare_card_version: number; latest_pickup_at: Date; latest_arrival_at: Date;
  expires_at: Date; unit: number;
};

function quoteOf(row: QuoteRow): Quote {
  return {
    id: row.id,
    riderId: row.rider_id,
    pickup: { lat: row.pickup_lat, lon: row.pickup_lon },
    dropoff: { lat: row.dropoff_lat, lon: row.dropoff_lon },
    pickupZone: row.pickup_zone,
    seats: row.seats,
    pooled: row.pooled === 1,
    distanceM: row.distance_m,
    durationS: row.duration_s,
    fareCents: row.fare_cents,
    currency: row.currency,
    breakdown: row.breakdown,
    fareCardVersion: row.fare_card_version,
    latestPickupAt: row.latest_pickup_at,
    latestArrivalAt: row.latest_arrival_at,
    expiresAt: row.expires_at,
    unit: row.unit,
  };
}
