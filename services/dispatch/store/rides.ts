/**
 * Rides: the row that every change of a ride locks first.
 *
 * Invariant: a status changes only under that lock (lockRide), together with the event that tells of it
 * (ride-events.ts). Which moves are allowed stands in domain/ride-state.ts.
 */
import type { Sql } from '../../../shared/mysql/database.ts';
import type { Place } from '../../../shared/unit/place.ts';
import { parseRideStatus } from '../domain/ride-state.ts';
import type { RideStatus } from '../domain/ride-state.ts';

export type Ride = {
  readonly id: bigint;
  readonly quoteId: bigint;
  readonly riderId: bigint;
  readonly payerUnit: number;
  readonly driverId: bigint | null;
  readonly routeId: bigint | null;
  readonly status: RideStatus;
  readonly statusReason: string | null;
  readonly pickup: Place;
  readonly dropoff: Place;
  readonly seats: number;
  readonly pooled: boolean;
  readonly fareCents: number;
  readonly currency: string;
  readonly breakdown: string;
  readonly otp: string;
  readonly otpFailures: number;
  readonly latestPickupAt: Date;
  readonly latestArrivalAt: Date;
  readonly nextDispatchAt: Date | null;
  readonly requestedAt: Date;
  readonly assignedAt: Date | null;
  readonly arrivedAt: Date | null;
  readonly boardedAt: Date | null;
  readonly completedAt: Date | null;
  readonly cancelledAt: Date | null;
  readonly eventSeq: number;
  readonly rating: number | null;
  readonly unit: number;
};

const COLUMNS = `id, quote_id, rider_id, payer_unit, driver_id, route_id, status, status_reason, pickup_lat, pickup_lon,
  dropoff_lat, dropoff_lon, seats, pooled, fare_cents, currency, breakdown, otp, otp_failures, latest_pickup_at,
  latest_arrival_at, next_dispatch_at, created_at, assigned_at, arrived_at, boarded_at, completed_at, cancelled_at,
  event_seq, rating, unit`;

export async function insertRide(tx: Sql, ride: Ride): Promise<void> {
  await tx.execute(
    `INSERT INTO rides (id, quote_id, rider_id, payer_unit, status, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon,
       seats, pooled, fare_cents, currency, breakdown, otp, latest_pickup_at, latest_arrival_at, next_dispatch_at,
       created_at, event_seq, unit)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      ride.id, ride.quoteId, ride.riderId, ride.payerUnit, ride.status, ride.pickup.lat, ride.pickup.lon,
      ride.dropoff.lat, ride.dropoff.lon, ride.seats, ride.pooled ? 1 : 0, ride.fareCents, ride.currency,
      ride.breakdown, ride.otp, ride.latestPickupAt, ride.latestArrivalAt, ride.nextDispatchAt, ride.requestedAt,
      ride.eventSeq, ride.unit,
    ],
  );
}

export async function findRide(sql: Sql, id: bigint): Promise<Ride | undefined> {
  const [row] = await sql.query<RideRow>(`SELECT ${COLUMNS} FROM rides WHERE id = ?`, [id]);
  return row === undefined ? undefined : rideOf(row);
}

/** Holds the ride until the end of the transaction. First in the lock order (flows/lock-order.ts). */
export async function lockRide(tx: Sql, id: bigint): Promise<Ride | undefined> {
  const [row] = await tx.query<RideRow>(`SELECT ${COLUMNS} FROM rides WHERE id = ? FOR UPDATE`, [id]);
  return row === undefined ? undefined : rideOf(row);
}

export async function findRideIdOfQuote(sql: Sql, quoteId: bigint): Promise<bigint | undefined> {
  const [row] = await sql.query<{ id: bigint }>('SELECT id FROM rides WHERE quote_id = ?', [quoteId]);
  return row?.id;
}

export type RideChange = {
  readonly status?: RideStatus;
  readonly statusReason?: string;
  readonly driverId?: bigint;
  readonly routeId?: bigint;
  readonly otpFailures?: number;
  readonly nextDispatchAt?: Date | null;
  readonly assignedAt?: Date;
  readonly arrivedAt?: Date;
  readonly boardedAt?: Date;
  readonly completedAt?: Date;
  readonly cancelledAt?: Date;
  readonly eventSeq?: number;
  readonly rating?: number;
};

/** Writes the given columns of a locked ride and answers what the ride is now. */
export async function updateRide(tx: Sql, ride: Ride, change: RideChange): Promise<Ride> {
  const names = Object.keys(change) as (keyof RideChange)[];
  const assignments = names.map((name) => `${CHANGE_COLUMNS[name]} = ?`).join(', ');
  await tx.execute(`UPDATE rides SET ${assignments} WHERE id = ?`, [...names.map((name) => change[name]), ride.id]);
  return { ...ride, ...change };
}

const CHANGE_COLUMNS: Readonly<Record<keyof RideChange, string>> = {
  status: 'status', statusReason: 'status_reason', driverId: 'driver_id', routeId: 'route_id',
  otpFailures: 'otp_failures', nextDispatchAt: 'next_dispatch_at', assignedAt: 'assigned_at', arrivedAt: 'arrived_at',
  boardedAt: 'boarded_at', completedAt: 'completed_at', cancelledAt: 'cancelled_at', eventSeq: 'event_seq',
  rating: 'rating',
};

type RideRow = {
  id: bigint; quote_id: bigint; rider_id: bigint; payer_unit: number; driver_id: bigint | null; route_id: bigint | null;
  status: string; status_reason: string | null; pickup_lat: number; pickup_lon: number; dropoff_lat: number;
  dropoff_lon: number; seats: number; pooled: number; fare_cents: number; currency: string; breakdown: string;
  otp: string; otp_failures: number; latest_pickup_at: Date; latest_arrival_at: Date; next_dispatch_at: Date | null;
  created_at: Date; assigned_at: Date | null; arrived_at: Date | null; boarded_at: Date | null;
  completed_at: Date | null; cancelled_at: Date | null; event_seq: number; rating: number | null; unit: number;
};

function rideOf(row: RideRow): Ride {
  return {
    id: row.id,
    quoteId: row.quote_id,
    riderId: row.rider_id,
    payerUnit: row.payer_unit,
    driverId: row.driver_id,
    routeId: row.route_id,
    status: parseRideStatus(row.status),
    statusReason: row.status_reason,
    pickup: { lat: row.pickup_lat, lon: row.pickup_lon },
    dropoff: { lat: row.dropoff_lat, lon: row.dropoff_lon },
    seats: row.seats,
    pooled: row.pooled === 1,
    fareCents: row.fare_cents,
    currency: row.currency,
    breakdown: row.breakdown,
    otp: row.otp,
    otpFailures: row.otp_failures,
    latestPickupAt: row.latest_pickup_at,
    latestArrivalAt: row.latest_arrival_at,
    nextDispatchAt: row.next_dispatch_at,
    requestedAt: row.created_at,
    assignedAt: row.assigned_at,
    arrivedAt: row.arrived_at,
    boardedAt: row.boarded_at,
    completedAt: row.completed_at,
    cancelledAt: row.cancelled_at,
    eventSeq: row.event_seq,
    rating: row.rating,
    unit: row.unit,
  };
}
