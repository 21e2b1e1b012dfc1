/**
 * Routes: one open row a shift, and the row that every change of a driver's plan locks.
 *
 * Invariant: a driver has at most one open route. No unique key can say so (closed ones remain), hence opening goes
 * through the lock of the driver's account row (people.ts). Both version (of the plan) and eventSeq (of the driver's
 * stream) only grow, under this row's lock.
 */
import { assert } from '../../../shared/kernel/assert.ts';
import type { Sql } from '../../../shared/mysql/database.ts';

export type Route = {
  readonly id: bigint;
  readonly driverId: bigint;
  readonly vehicleId: bigint;
  readonly seats: number;
  readonly isOpen: boolean;
  readonly version: number;
  /** seq of the driver's newest event. A new shift starts from that of the last one, so that the stream never restarts. */
  readonly eventSeq: number;
  readonly unit: number;
};

const COLUMNS = 'id, driver_id, vehicle_id, seats, status, version, event_seq, unit';

export async function insertOpenRoute(tx: Sql, route: Omit<Route, 'isOpen' | 'version'>): Promise<Route> {
  await tx.execute(
    `INSERT INTO routes (id, driver_id, vehicle_id, seats, status, version, event_seq, unit)
     VALUES (?, ?, ?, ?, 'open', 0, ?, ?)`,
    [route.id, route.driverId, route.vehicleId, route.seats, route.eventSeq, route.unit],
  );
  return { ...route, isOpen: true, version: 0 };
}

export async function findOpenRoute(sql: Sql, driverId: bigint): Promise<Route | undefined> {
  const [row] = await sql.query<RouteRow>(`SELECT ${COLUMNS} FROM routes WHERE driver_id = ? AND status = 'open'`, [driverId]);
  return row === undefined ? undefined : routeOf(row);
}

export async function findOpenRoutes(sql: Sql, driverIds: readonly bigint[]): Promise<Route[]> {
  if (driverIds.length === 0) return [];
  const rows = await sql.query<RouteRow>(
    `SELECT ${COLUMNS} FROM routes WHERE driver_id IN (?) AND status = 'open'`,
    [driverIds],
  );
  return rows.map(routeOf);
}

/** Holds the plan until the end of the transaction. After the ride in the lock order (flows/lock-order.ts). */
export async function lockRoute(tx: Sql, id: bigint): Promise<Route | undefined> {
  const [row] = await tx.query<RouteRow>(`SELECT ${COLUMNS} FROM routes WHERE id = ? FOR UPDATE`, [id]);
  return row === undefined ? undefined : routeOf(row);
}

/** Writes version and eventSeq of a locked route. */
export async function saveRoute(tx: Sql, route: Route): Promise<void> {
  const { affectedRows } = await tx.execute('UPDATE routes SET version = ?, event_seq = ?, status = ? WHERE id = ?', [
    route.version, route.eventSeq, route.isOpen ? 'open' : 'closed', route.id,
  ]);
  assert(affectedRows === 1, `route ${route.id} vanished under its lock`);
}

type RouteRow = {
  id: bigint; driver_id: bigint; vehicle_id: bigint; seats: number; status: string; version: number; event_seq: number;
  unit: number;
};

function routeOf(row: RouteRow): Route {
  return {
    id: row.id,
    driverId: row.driver_id,
    vehicleId: row.vehicle_id,
    seats: row.seats,
    isOpen: row.status === 'open',
    version: row.version,
    eventSeq: row.event_seq,
    unit: row.unit,
  };
}
