/**
 * What a completed ride costs: handed to payment as a row, in the transaction that completes the ride.
 *
 * Invariant: id = the ride's id, so a ride is charged once; the breakdown is the quote's, unchanged. Nothing is charged here.
 */
import type { Sql } from '../../../shared/mysql/database.ts';
import type { Ride } from './rides.ts';

export async function insertFare(tx: Sql, ride: Ride, driverId: bigint): Promise<void> {
  await tx.execute(
    `INSERT INTO fares (id, ride_id, payer_id, payer_unit, driver_id, amount_cents, currency, breakdown, unit)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [ride.id, ride.id, ride.riderId, ride.payerUnit, driverId, ride.fareCents, ride.currency, ride.breakdown, ride.unit],
  );
}
