/**
 * What a rider does with money: pay a ride, tip its driver, read the receipt.
 * Invariant: a rider sees and pays their own rides only; another's ride does not exist for them. Writes happen in the
 * caller's transaction, after money-home.ts has let them through.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import { isTandemError, TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../../shared/mysql/database.ts';
import { parseBreakdown } from '../domain/breakdown.ts';
import type { Breakdown } from '../domain/breakdown.ts';
import type { Fare, Payment } from '../domain/payment.ts';
import { chargeFare, chargeTip } from '../store/charges.ts';
import type { ChargeOutcome } from '../store/charges.ts';
import { findFare } from '../store/fares.ts';
import type { IdSource } from '../store/ledger.ts';
import { listPayments } from '../store/payments.ts';
import { findRide } from '../store/rides.ts';
import type { PaidRide } from '../store/rides.ts';
import { missingRide } from './money-home.ts';
import type { Whereabouts } from './money-home.ts';

/** A ride of the peer is here within the replication lag; so long a money write waits for it. */
const REPLICATION_WAIT = { attempts: 10, everyMs: 100 } as const;

/** Who asks, and whether the other region's router carried the request here. An operator reads every receipt. */
export type Asker = { readonly accountId: bigint; readonly role: string; readonly isForwarded: boolean };

/** The asker's ride. Throws not-found, and not-home for one that only the other region can know yet. */
export async function readRide(sql: Sql, where: Whereabouts, asker: Asker, rideId: bigint): Promise<PaidRide> {
  const ride = await findRide(sql, rideId);
  if (ride === undefined) throw missingRide(rideId, where, asker);
  if (ride.riderId !== asker.accountId && asker.role !== 'operator') throw absent(rideId);
  return ride;
}

/**
 * readRide for a money write. The payer is at home here, so no other region could take the write: a ride just created
 * over there is waited for, for a second at most, and then not found. It is never not-home: a client told to pay over
 * there would only be sent back.
 */
export async function awaitRide(sql: Sql, where: Whereabouts, asker: Asker, rideId: bigint): Promise<PaidRide> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readRide(sql, where, asker, rideId);
    } catch (e) {
      if (!isTandemError(e, 'not-home')) throw e;
      if (attempt === REPLICATION_WAIT.attempts) throw absent(rideId);
    }
    await sleep(REPLICATION_WAIT.everyMs);
  }
}

/** Charges the ride's fare unless it is charged already. Throws conflict while the ride is not completed. */
export async function payRide(tx: Sql, ids: IdSource, rideId: bigint): Promise<ChargeOutcome> {
  return chargeFare(tx, ids, await completedFare(tx, rideId));
}

/** Throws conflict while the ride is not completed, and when it has been tipped before. */
export async function tipRide(tx: Sql, ids: IdSource, rideId: bigint, amountCents: number): Promise<Payment> {
  const { kind, payment } = await chargeTip(tx, ids, await completedFare(tx, rideId), amountCents);
  if (kind === 'charged') return payment;
  throw new TandemError('conflict', 'this ride has been tipped already', { details: { paymentId: String(payment.id) } });
}

export type Receipt = { readonly ride: PaidRide; readonly breakdown: Breakdown; readonly payments: readonly Payment[] };

export async function readReceipt(sql: Sql, where: Whereabouts, asker: Asker, rideId: bigint): Promise<Receipt> {
  const ride = await readRide(sql, where, asker, rideId);
  return { ride, breakdown: parseBreakdown(ride.breakdown, ride.fareCents), payments: await listPayments(sql, rideId) };
}

async function completedFare(tx: Sql, rideId: bigint): Promise<Fare> {
  const fare = await findFare(tx, rideId);
  if (fare === undefined) throw new TandemError('conflict', 'the ride is not completed: there is nothing to pay yet');
  return fare;
}

/** Said of another's ride too. */
function absent(rideId: bigint): TandemError {
  return new TandemError('not-found', `there is no ride ${rideId}`, { details: { rideId: String(rideId) } });
}
