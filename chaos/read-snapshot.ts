/**
 * Reads what the checkers look at from one region's database, in one read-only transaction: all rows of one moment.
 *
 * It deliberately reads everything: it is for stacks that a replay has filled, not for production tables.
 */
import type { Database, Sql } from '../shared/mysql/database.ts';
import { GENERATED_ID_TABLES } from '../shared/schema/tables.ts';
import type { Snapshot } from './checkers/snapshot.ts';

const ms = (at: Date | null): number | null => at?.getTime() ?? null;

type Times = { boardedAt: Date | null; completedAt: Date | null; latestPickupAt: Date; latestArrivalAt: Date };

export async function readSnapshot(region: string, database: Database): Promise<Snapshot> {
  return database.transaction(
    async (tx) => ({
      region,
      rides: await readRides(tx),
      routes: await tx.query('SELECT id, driver_id AS driverId, seats FROM routes'),
      offers: await tx.query('SELECT id, ride_id AS rideId, driver_id AS driverId, status FROM offers'),
      fares: await tx.query('SELECT ride_id AS rideId, amount_cents AS amountCents FROM fares'),
      payments: await tx.query('SELECT id, ride_id AS rideId, kind, status, amount_cents AS amountCents FROM payments'),
      ledgerTransactions: await tx.query('SELECT id, payment_id AS paymentId FROM ledger_transactions'),
      ledgerEntries: await tx.query('SELECT transaction_id AS transactionId, amount_cents AS amountCents, currency FROM ledger_entries'),
      ids: await readIds(tx),
      insertConflicts: await tx.query("SELECT table_name AS `table`, row_id AS id FROM _conflicts WHERE kind = 'insert-insert' AND table_name IN (?)", [
        GENERATED_ID_TABLES,
      ]),
    }),
    { readOnly: true, isolation: 'REPEATABLE READ', deadlineMs: 60_000 },
  );
}

async function readRides(tx: Sql): Promise<Snapshot['rides']> {
  const rows = await tx.query<Omit<Snapshot['rides'][number], 'boardedAtMs' | 'completedAtMs' | 'latestPickupAtMs' | 'latestArrivalAtMs'> & Times>(
    `SELECT id, rider_id AS riderId, driver_id AS driverId, route_id AS routeId, status, seats, fare_cents AS fareCents,
            boarded_at AS boardedAt, completed_at AS completedAt, latest_pickup_at AS latestPickupAt, latest_arrival_at AS latestArrivalAt
       FROM rides`,
  );
  return rows.map(({ boardedAt, completedAt, latestPickupAt, latestArrivalAt, ...ride }) => ({
    ...ride,
    boardedAtMs: ms(boardedAt),
    completedAtMs: ms(completedAt),
    latestPickupAtMs: latestPickupAt.getTime(),
    latestArrivalAtMs: latestArrivalAt.getTime(),
  }));
}

async function readIds(tx: Sql): Promise<Snapshot['ids']> {
  const selects = GENERATED_ID_TABLES.map((table) => `SELECT '${table}' AS \`table\`, id FROM ${table}`);
  return tx.query(selects.join(' UNION ALL '));
}
