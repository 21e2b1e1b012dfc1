/**
 * The dispatcher's queue: rides that wait for a driver, by when to look at them next.
 *
 * Invariant: a claim moves next_dispatch_at forward in the transaction that found the ride due, skipping rides that another
 * instance holds; so one search runs for a ride at a time, and a search whose process died is begun again by itself.
 * A claim is a lease in time, no lock: what a search finds is checked once more under the ride's lock.
 */
import type { Sql } from '../../../shared/mysql/database.ts';
import type { Place } from '../../../shared/unit/place.ts';

/** What a search needs to know of a ride. */
export type DueRide = {
  readonly id: bigint;
  readonly pickup: Place;
  readonly dropoff: Place;
  readonly seats: number;
  readonly pooled: boolean;
  readonly requestedAt: Date;
  readonly latestPickupAt: Date;
  readonly latestArrivalAt: Date;
};

export type Claim = { readonly now: Date; readonly until: Date; readonly units: readonly number[]; readonly limit: number };

/** Earliest due first. */
export async function claimDueRides(tx: Sql, { now, until, units, limit }: Claim): Promise<DueRide[]> {
  if (units.length === 0) return [];
  const rows = await tx.query<DueRow>(
    `SELECT id, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, seats, pooled, created_at, latest_pickup_at, latest_arrival_at
     FROM rides WHERE status = 'requested' AND next_dispatch_at <= ? AND unit IN (?)
     ORDER BY next_dispatch_at LIMIT ${limit} FOR UPDATE SKIP LOCKED`,
    [now, units],
  );
  if (rows.length === 0) return [];
  await tx.execute('UPDATE rides SET next_dispatch_at = ? WHERE id IN (?)', [until, rows.map((row) => row.id)]);
  return rows.map(dueRideOf);
}

export async function countOpenRides(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql.query<{ status: string; count: bigint }>(
    `SELECT status, COUNT(*) AS count FROM rides
     WHERE status IN ('requested', 'assigned', 'arrived', 'onboard') GROUP BY status`,
  );
  return new Map(rows.map((row) => [row.status, Number(row.count)]));
}

type DueRow = {
  id: bigint; pickup_lat: number; pickup_lon: number; dropoff_lat: number; dropoff_lon: number; seats: number;
  pooled: number; created_at: Date; latest_pickup_at: Date; latest_arrival_at: Date;
};

function dueRideOf(row: DueRow): DueRide {
  return {
    id: row.id,
    pickup: { lat: row.pickup_lat, lon: row.pickup_lon },
    dropoff: { lat: row.dropoff_lat, lon: row.dropoff_lon },
    seats: row.seats,
    pooled: row.pooled === 1,
    requestedAt: row.created_at,
    latestPickupAt: row.latest_pickup_at,
    latestArrivalAt: row.latest_arrival_at,
  };
}
