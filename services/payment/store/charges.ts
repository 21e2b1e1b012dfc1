/**
 * Charges: the payment, its booking and its commit, in the caller's one transaction.
 * Invariant: UNIQUE(ride_id, kind) decides. Whoever inserts the payment first charges; everybody else, in this process
 * or in another, finds that payment and writes nothing. So a charge happens exactly once however often it is asked for.
 *
 * HAZARD: both regions could insert at the same moment, before either sees the other's row. Only the home region of the
 * payer's unit may call this, and that check is the caller's, before its first write.
 */
import { assert } from '../../../shared/kernel/assert.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../../shared/mysql/database.ts';
import { parseBreakdown } from '../domain/breakdown.ts';
import { postFare, postTip } from '../domain/ledger.ts';
import type { Parties, Posting } from '../domain/ledger.ts';
import type { Fare, Payment } from '../domain/payment.ts';
import { assertTip } from '../domain/payment.ts';
import { bookPosting } from './ledger.ts';
import type { IdSource } from './ledger.ts';
import { findPayment } from './payments.ts';

export type ChargeOutcome = { readonly kind: 'charged' | 'charged-before'; readonly payment: Payment };

/** Charges a completed ride's fare. Throws conflict where its breakdown does not add up. */
export function chargeFare(tx: Sql, ids: IdSource, fare: Fare): Promise<ChargeOutcome> {
  const shares = parseBreakdown(fare.breakdown, fare.amountCents);
  return charge(tx, ids, fare, fare.amountCents, postFare(partiesOf(fare), fare.amountCents, shares));
}

/** Adds a tip to a completed ride. A ride is tipped once. Throws validation-failed for an amount out of range. */
export function chargeTip(tx: Sql, ids: IdSource, fare: Fare, amountCents: number): Promise<ChargeOutcome> {
  assertTip(amountCents);
  return charge(tx, ids, fare, amountCents, postTip(partiesOf(fare), amountCents));
}

async function charge(tx: Sql, ids: IdSource, fare: Fare, amountCents: number, posting: Posting): Promise<ChargeOutcome> {
  const { rideId, payerUnit: unit, currency } = fare;
  const paymentId = ids.next();
  if (!(await insertPayment(tx, { paymentId, fare, kind: posting.kind, amountCents }))) {
    return { kind: 'charged-before', payment: await mustFind(tx, rideId, posting.kind) };
  }
  await provisionPayer(tx, fare);
  await bookPosting(tx, ids, { paymentId, rideId, unit, currency, posting });
  const { affectedRows } = await tx.execute(
    "UPDATE payments SET status = 'committed', version = 2 WHERE id = ? AND status = 'created' AND version = 1",
    [paymentId],
  );
  assert(affectedRows === 1, 'a payment just created is there to be committed');
  return { kind: 'charged', payment: await mustFind(tx, rideId, posting.kind) };
}

/** False where the ride has a payment of this kind already. */
async function insertPayment(
  tx: Sql,
  { paymentId, fare, kind, amountCents }: { paymentId: bigint; fare: Fare; kind: Posting['kind']; amountCents: number },
): Promise<boolean> {
  try {
    await tx.execute(
      `INSERT INTO payments (id, ride_id, kind, payer_id, driver_id, amount_cents, currency, method, status, version, unit)
       VALUES (?, ?, ?, ?, ?, ?, ?, 'account', 'created', 1, ?)`,
      [paymentId, fare.rideId, kind, fare.payerId, fare.driverId, amountCents, fare.currency, fare.payerUnit],
    );
    return true;
  } catch (e) {
    if (isTandemError(e, 'db-duplicate')) return false;
    throw e;
  }
}

/** A rider's account row appears with the first charge; nothing before needs it. */
async function provisionPayer(tx: Sql, fare: Fare): Promise<void> {
  const rows = await tx.query('SELECT 1 FROM accounts WHERE id = ?', [fare.payerId]);
  if (rows.length > 0) return;
  try {
    await tx.execute('INSERT INTO accounts (id, unit) VALUES (?, ?)', [fare.payerId, fare.payerUnit]);
  } catch (e) {
    if (!isTandemError(e, 'db-duplicate')) throw e;
  }
}

async function mustFind(tx: Sql, rideId: bigint, kind: Posting['kind']): Promise<Payment> {
  const payment = await findPayment(tx, rideId, kind);
  assert(payment !== undefined, 'the payment that stands in the way of another one can be read');
  return payment;
}

function partiesOf(fare: Fare): Parties {
  return { payerId: fare.payerId, driverId: fare.driverId, currency: fare.currency, unit: fare.payerUnit };
}
