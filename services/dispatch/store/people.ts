/**
 * A driver's account and vehicles, as far as dispatch needs them.
 *
 * Invariant: an account's id is the user id of the verified token. The account's row is the lock under which a driver's
 * shift opens or closes. Names, documents and licences are not kept here.
 */
import { assert } from '../../../shared/kernel/assert.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../../shared/mysql/database.ts';

export type Vehicle = {
  readonly id: bigint;
  readonly driverId: bigint;
  readonly plate: string;
  readonly seats: number;
  readonly unit: number;
};

/** Holds the account until the end of the transaction, having made it where it was not there. */
export async function lockAccount(tx: Sql, account: { id: bigint; unit: number }): Promise<void> {
  if (await lockExisting(tx, account.id)) return;
  try {
    await tx.execute('INSERT INTO accounts (id, unit) VALUES (?, ?)', [account.id, account.unit]);
  } catch (e) {
    // Somebody else was faster; their row is the lock then.
    if (!isTandemError(e, 'db-duplicate')) throw e;
    assert(await lockExisting(tx, account.id), `account ${account.id} both is there and is not`);
  }
}

async function lockExisting(tx: Sql, id: bigint): Promise<boolean> {
  const rows = await tx.query('SELECT id FROM accounts WHERE id = ? FOR UPDATE', [id]);
  return rows.length === 1;
}

/** The vehicle of that plate, or without one the driver's newest. */
export async function findVehicle(sql: Sql, driverId: bigint, plate?: string): Promise<Vehicle | undefined> {
  const [row] = await sql.query<VehicleRow>(
    `SELECT id, driver_id, plate, seats, unit FROM vehicles
     WHERE driver_id = ? AND (? IS NULL OR plate = ?) ORDER BY id DESC LIMIT 1`,
    [driverId, plate ?? null, plate ?? null],
  );
  return row === undefined ? undefined : vehicleOf(row);
}

export async function findVehicleById(sql: Sql, id: bigint): Promise<Vehicle | undefined> {
  const [row] = await sql.query<VehicleRow>('SELECT id, driver_id, plate, seats, unit FROM vehicles WHERE id = ?', [id]);
  return row === undefined ? undefined : vehicleOf(row);
}

export async function insertVehicle(tx: Sql, vehicle: Vehicle): Promise<void> {
  await tx.execute('INSERT INTO vehicles (id, driver_id, plate, seats, unit) VALUES (?, ?, ?, ?, ?)', [
    vehicle.id, vehicle.driverId, vehicle.plate, vehicle.seats, vehicle.unit,
  ]);
}

export async function setVehicleSeats(tx: Sql, id: bigint, seats: number): Promise<void> {
  await tx.execute('UPDATE vehicles SET seats = ? WHERE id = ?', [seats, id]);
}

type VehicleRow = { id: bigint; driver_id: bigint; plate: string; seats: number; unit: number };

function vehicleOf(row: VehicleRow): Vehicle {
  return { id: row.id, driverId: row.driver_id, plate: row.plate, seats: row.seats, unit: row.unit };
}
