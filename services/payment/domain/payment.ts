/**
 * A payment: one charge of one kind for one ride, and the states it goes through.
 * Invariant: a ride has at most one payment of a kind; its version grows with each change of status, and a status only
 * moves forward. Method `account` is the only one yet: the ride is put on the rider's account with Tandem, to be
 * settled later (post-paid); nothing leaves this house, so it is created and committed in one transaction.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export type PaymentKind = 'fare' | 'tip';
export type PaymentMethod = 'account';
export type PaymentStatus = 'created' | 'committed' | 'failed';

export type Payment = {
  readonly id: bigint;
  readonly rideId: bigint;
  readonly kind: PaymentKind;
  readonly payerId: bigint;
  readonly driverId: bigint;
  readonly amountCents: number;
  readonly currency: string;
  readonly method: PaymentMethod;
  readonly status: PaymentStatus;
  readonly createdAt: Date;
};

/** A completed ride's fare, as dispatch wrote it: what is to be charged, to whom, and for whom. */
export type Fare = {
  readonly rideId: bigint;
  readonly payerId: bigint;
  /** The unit of the payer's account: its home is where this is charged. */
  readonly payerUnit: number;
  readonly driverId: bigint;
  readonly amountCents: number;
  readonly currency: string;
  /** JSON text, see domain/breakdown.ts. */
  readonly breakdown: unknown;
};

/** A tip is a gesture, not a way to move money. */
export const TIP_CENTS_MAX = 20_000;

export function assertTip(amountCents: number): void {
  if (!Number.isInteger(amountCents) || amountCents < 1 || amountCents > TIP_CENTS_MAX) {
    throw new TandemError('validation-failed', `a tip is 1 to ${TIP_CENTS_MAX} cents`, { details: { field: 'amountCents' } });
  }
}
