/**
 * Reads of payments. Writes are in charges.ts.
 */
import type { Sql } from '../../../shared/mysql/database.ts';
import type { Payment, PaymentKind, PaymentMethod, PaymentStatus } from '../domain/payment.ts';

type Row = {
  id: bigint; ride_id: bigint; kind: string; payer_id: bigint; driver_id: bigint; amount_cents: number;
  currency: string; method: string; status: string; created_at: Date;
};

const SELECT = 'SELECT id, ride_id, kind, payer_id, driver_id, amount_cents, currency, method, status, created_at FROM payments';

export async function findPayment(sql: Sql, rideId: bigint, kind: PaymentKind): Promise<Payment | undefined> {
  const [row] = await sql.query<Row>(`${SELECT} WHERE ride_id = ? AND kind = ?`, [rideId, kind]);
  return row === undefined ? undefined : paymentOf(row);
}

/** All payments of a ride, the fare first. */
export async function listPayments(sql: Sql, rideId: bigint): Promise<Payment[]> {
  return (await sql.query<Row>(`${SELECT} WHERE ride_id = ? ORDER BY kind, id`, [rideId])).map(paymentOf);
}

function paymentOf(row: Row): Payment {
  return {
    id: row.id,
    rideId: row.ride_id,
    kind: row.kind as PaymentKind,
    payerId: row.payer_id,
    driverId: row.driver_id,
    amountCents: row.amount_cents,
    currency: row.currency,
    method: row.method as PaymentMethod,
    status: row.status as PaymentStatus,
    createdAt: row.created_at,
  };
}
