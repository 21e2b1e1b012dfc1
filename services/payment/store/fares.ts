/**
 * Reads of what is to be charged: the fares that dispatch wrote with each completed ride, here or in the peer.
 */
import type { Sql } from '../../../shared/mysql/database.ts';
import type { Fare } from '../domain/payment.ts';

type Row = {
  ride_id: bigint; payer_id: bigint; payer_unit: number; driver_id: bigint; amount_cents: number; currency: string; breakdown: unknown;
};

const SELECT = 'SELECT f.ride_id, f.payer_id, f.payer_unit, f.driver_id, f.amount_cents, f.currency, f.breakdown FROM fares f';

export async function findFare(sql: Sql, rideId: bigint): Promise<Fare | undefined> {
  const [row] = await sql.query<Row>(`${SELECT} WHERE f.id = ?`, [rideId]);
  return row === undefined ? undefined : fareOf(row);
}

/**
 * Fares written since `since`, of payers in `units`, that no payment stands for yet; oldest first, at most `limit`.
 * A fare of the peer carries the peer's time of writing: one that replication brings late is found by a longer look
 * back. `except` leaves out rides that failed lately.
 */
export async function listUnpaidFares(
  sql: Sql,
  query: { readonly units: readonly number[]; readonly since: Date; readonly limit: number; readonly except: readonly bigint[] },
): Promise<Fare[]> {
  if (query.units.length === 0) return [];
  const { units, since, limit, except } = query;
  const rows = await sql.query<Row>(
    `${SELECT}
      WHERE f.created_at >= ? AND f.payer_unit IN (?) AND f.id NOT IN (?)
        AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.ride_id = f.ride_id AND p.kind = 'fare')
      ORDER BY f.created_at, f.id LIMIT ?`,
    // 0 is no ride's id: IN () would not be SQL.
    [since, units, except.length === 0 ? [0n] : except, limit],
  );
  return rows.map(fareOf);
}

function fareOf(row: Row): Fare {
  return {
    rideId: row.ride_id,
    payerId: row.payer_id,
    payerUnit: row.payer_unit,
    driverId: row.driver_id,
    amountCents: row.amount_cents,
    currency: row.currency,
    breakdown: row.breakdown,
  };
}
