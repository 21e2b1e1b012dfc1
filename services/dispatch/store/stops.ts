/**
 * Stops: what remains of a route, and what became of the rest.
 *
 * Invariant: written only under the lock of their route. Remaining stops (planned or arrived) are read in order of
 * position; positions grow along a route but have gaps where stops were done or cancelled.
 */
import type { Sql } from '../../../shared/mysql/database.ts';
import type { Place } from '../../../shared/unit/place.ts';
import type { StopKind } from '../domain/route-plan.ts';

export type StopStatus = 'planned' | 'arrived' | 'done' | 'cancelled';

export type Stop = {
  readonly id: bigint;
  readonly routeId: bigint;
  readonly rideId: bigint;
  readonly kind: StopKind;
  readonly position: number;
  readonly place: Place;
  readonly seats: number;
  readonly etaAt: Date;
  readonly latestAt: Date;
  readonly status: StopStatus;
  readonly arrivedAt: Date | null;
  readonly doneAt: Date | null;
  readonly unit: number;
};

/** A stop with whose it is. */
export type OwnedStop = Stop & { readonly driverId: bigint };

/** A remaining stop with what a plan must know of its ride. */
export type OpenStop = Stop & { readonly pooled: boolean };

const COLUMNS = `s.id, s.route_id, s.ride_id, s.kind, s.position, s.lat, s.lon, s.seats, s.eta_at, s.latest_at, s.status,
  s.arrived_at, s.done_at, s.unit`;

export async function findOwnedStop(sql: Sql, id: bigint): Promise<OwnedStop | undefined> {
  const [row] = await sql.query<StopRow & { driver_id: bigint }>(
    `SELECT ${COLUMNS}, t.driver_id FROM stops s JOIN routes t ON t.id = s.route_id WHERE s.id = ?`,
    [id],
  );
  return row === undefined ? undefined : { ...stopOf(row), driverId: row.driver_id };
}

/** The remaining stops of all these routes, in order within each. */
export async function findOpenStops(sql: Sql, routeIds: readonly bigint[]): Promise<Map<bigint, OpenStop[]>> {
  const byRoute = new Map<bigint, OpenStop[]>(routeIds.map((id) => [id, []]));
  if (routeIds.length === 0) return byRoute;
  const rows = await sql.query<StopRow & { pooled: number }>(
    `SELECT ${COLUMNS}, r.pooled FROM stops s JOIN rides r ON r.id = s.ride_id
     WHERE s.route_id IN (?) AND s.status IN ('planned', 'arrived') ORDER BY s.route_id, s.position`,
    [routeIds],
  );
  for (const row of rows) byRoute.get(row.route_id)?.push({ ...stopOf(row), pooled: row.pooled === 1 });
  return byRoute;
}

export async function insertStops(tx: Sql, stops: readonly Stop[]): Promise<void> {
  const values = stops.map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ');
  await tx.execute(
    `INSERT INTO stops (id, route_id, ride_id, kind, position, lat, lon, seats, eta_at, latest_at, status, unit) VALUES ${values}`,
    stops.flatMap((stop) => [
      stop.id, stop.routeId, stop.rideId, stop.kind, stop.position, stop.place.lat, stop.place.lon, stop.seats,
      stop.etaAt, stop.latestAt, stop.status, stop.unit,
    ]),
  );
}

/** New places and times of stops that are there already, in one statement. */
export async function replanStops(tx: Sql, stops: readonly Pick<Stop, 'id' | 'position' | 'etaAt'>[]): Promise<void> {
  if (stops.length === 0) return;
  const whens = stops.map(() => 'WHEN ? THEN ?').join(' ');
  await tx.execute(
    `UPDATE stops SET position = CASE id ${whens} ELSE position END, eta_at = CASE id ${whens} ELSE eta_at END WHERE id IN (?)`,
    [
      ...stops.flatMap((stop) => [stop.id, stop.position]),
      ...stops.flatMap((stop) => [stop.id, stop.etaAt]),
      stops.map((stop) => stop.id),
    ],
  );
}

/** Writes how far a stop has come. */
export async function saveStopProgress(tx: Sql, stop: Stop): Promise<void> {
  await tx.execute('UPDATE stops SET status = ?, arrived_at = ?, done_at = ? WHERE id = ?', [
    stop.status, stop.arrivedAt, stop.doneAt, stop.id,
  ]);
}

export async function cancelStopsOfRide(tx: Sql, rideId: bigint): Promise<void> {
  await tx.execute(`UPDATE stops SET status = 'cancelled' WHERE ride_id = ? AND status IN ('planned', 'arrived')`, [rideId]);
}

type StopRow = {
  id: bigint; route_id: bigint; ride_id: bigint; kind: string; position: number; lat: number; lon: number; seats: number;
  eta_at: Date; latest_at: Date; status: string; arrived_at: Date | null; done_at: Date | null; unit: number;
};

function stopOf(row: StopRow): Stop {
  return {
    id: row.id,
    routeId: row.route_id,
    rideId: row.ride_id,
    kind: row.kind as StopKind,
    position: row.position,
    place: { lat: row.lat, lon: row.lon },
    seats: row.seats,
    etaAt: row.eta_at,
    latestAt: row.latest_at,
    status: row.status as StopStatus,
    arrivedAt: row.arrived_at,
    doneAt: row.done_at,
    unit: row.unit,
  };
}
