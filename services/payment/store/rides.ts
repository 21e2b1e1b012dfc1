/**
 * The part of a ride that money needs to know. Rides belong to dispatch; this only reads them.
 */
import type { Sql } from '../../../shared/mysql/database.ts';

export type PaidRide = {
  readonly id: bigint;
  readonly riderId: bigint;
  readonly unit: number;
  readonly status: string;
  readonly fareCents: number;
  readonly currency: string;
  readonly breakdown: unknown;
};

type Row = { id: bigint; rider_id: bigint; unit: number; status: string; fare_cents: number; currency: string; breakdown: unknown };

export async function findRide(sql: Sql, rideId: bigint): Promise<PaidRide | undefined> {
  const [row] = await sql.query<Row>('SELECT id, rider_id, unit, status, fare_cents, currency, breakdown FROM rides WHERE id = ?', [rideId]);
  if (row === undefined) return undefined;
  const { id, unit, status, currency, breakdown } = row;
  return { id, riderId: row.rider_id, unit, status, fareCents: row.fare_cents, currency, breakdown };
}
