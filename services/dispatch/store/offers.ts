/**
 * Offers: one ride put to one driver for a while.
 *
 * Invariant: at most one open offer for a ride and one for a driver. Whoever inserts one holds both the ride's row and the
 * driver's open route and has looked; no key enforces it, because closed offers remain as the memory of who was asked.
 */
import type { Sql } from '../../../shared/mysql/database.ts';

export type OfferStatus = 'open' | 'accepted' | 'declined' | 'expired' | 'withdrawn';

export type Offer = {
  readonly id: bigint;
  readonly rideId: bigint;
  readonly driverId: bigint;
  readonly routeId: bigint;
  readonly status: OfferStatus;
  readonly expiresAt: Date;
  readonly unit: number;
};

const COLUMNS = 'id, ride_id, driver_id, route_id, status, expires_at, unit';

export async function insertOffer(tx: Sql, offer: Offer): Promise<void> {
  await tx.execute(
    'INSERT INTO offers (id, ride_id, driver_id, route_id, status, expires_at, unit) VALUES (?, ?, ?, ?, ?, ?, ?)',
    [offer.id, offer.rideId, offer.driverId, offer.routeId, offer.status, offer.expiresAt, offer.unit],
  );
}

export async function findOffer(sql: Sql, id: bigint): Promise<Offer | undefined> {
  const [row] = await sql.query<OfferRow>(`SELECT ${COLUMNS} FROM offers WHERE id = ?`, [id]);
  return row === undefined ? undefined : offerOf(row);
}

/** Last in the lock order (flows/lock-order.ts). */
export async function lockOffer(tx: Sql, id: bigint): Promise<Offer | undefined> {
  const [row] = await tx.query<OfferRow>(`SELECT ${COLUMNS} FROM offers WHERE id = ? FOR UPDATE`, [id]);
  return row === undefined ? undefined : offerOf(row);
}

export async function setOfferStatus(tx: Sql, id: bigint, status: OfferStatus): Promise<void> {
  await tx.execute('UPDATE offers SET status = ? WHERE id = ?', [status, id]);
}

export async function findOpenOffersOfRide(sql: Sql, rideId: bigint): Promise<Offer[]> {
  const rows = await sql.query<OfferRow>(`SELECT ${COLUMNS} FROM offers WHERE ride_id = ? AND status = 'open'`, [rideId]);
  return rows.map(offerOf);
}

export async function findOpenOffersOfDriver(sql: Sql, driverId: bigint): Promise<Offer[]> {
  const rows = await sql.query<OfferRow>(`SELECT ${COLUMNS} FROM offers WHERE driver_id = ? AND status = 'open'`, [driverId]);
  return rows.map(offerOf);
}

/** Open offers past their time, longest overdue first. */
export async function findOverdueOffers(sql: Sql, input: { now: Date; units: readonly number[]; limit: number }): Promise<Offer[]> {
  if (input.units.length === 0) return [];
  const rows = await sql.query<OfferRow>(
    `SELECT ${COLUMNS} FROM offers WHERE status = 'open' AND expires_at <= ? AND unit IN (?)
     ORDER BY expires_at LIMIT ${input.limit}`,
    [input.now, input.units],
  );
  return rows.map(offerOf);
}

/** Who was asked for these rides, ever. */
export async function findAsked(sql: Sql, rideIds: readonly bigint[]): Promise<Pick<Offer, 'rideId' | 'driverId' | 'status'>[]> {
  if (rideIds.length === 0) return [];
  const rows = await sql.query<{ ride_id: bigint; driver_id: bigint; status: OfferStatus }>(
    'SELECT ride_id, driver_id, status FROM offers WHERE ride_id IN (?)',
    [rideIds],
  );
  return rows.map((row) => ({ rideId: row.ride_id, driverId: row.driver_id, status: row.status }));
}

/** Those of these drivers who have an offer open. */
export async function findAskedDrivers(sql: Sql, driverIds: readonly bigint[]): Promise<Set<bigint>> {
  if (driverIds.length === 0) return new Set();
  const rows = await sql.query<{ driver_id: bigint }>(
    `SELECT driver_id FROM offers WHERE driver_id IN (?) AND status = 'open'`,
    [driverIds],
  );
  return new Set(rows.map((row) => row.driver_id));
}

/**
 * True where neither the ride nor the driver has an open offer and the driver has not been asked for this ride before.
 * Tells the truth only while ride and route are locked.
 */
export async function mayOffer(tx: Sql, input: { rideId: bigint; driverId: bigint }): Promise<boolean> {
  const rows = await tx.query(
    `(SELECT id FROM offers WHERE driver_id = ? AND status = 'open' LIMIT 1)
     UNION ALL (SELECT id FROM offers WHERE ride_id = ? AND (status = 'open' OR driver_id = ?) LIMIT 1)`,
    [input.driverId, input.rideId, input.driverId],
  );
  return rows.length === 0;
}

type OfferRow = {
  id: bigint; ride_id: bigint; driver_id: bigint; route_id: bigint; status: string; expires_at: Date; unit: number;
};

function offerOf(row: OfferRow): Offer {
  return {
    id: row.id,
    rideId: row.ride_id,
    driverId: row.driver_id,
    routeId: row.route_id,
    status: row.status as OfferStatus,
    expiresAt: row.expires_at,
    unit: row.unit,
  };
}
