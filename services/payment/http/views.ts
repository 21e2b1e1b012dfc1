/**
 * From rows to what the API shows. The breakdown a rider sees is the one that was stored: nothing is computed anew.
 */
import type { Breakdown } from '../domain/breakdown.ts';
import type { Payment } from '../domain/payment.ts';
import type { PaidRide } from '../store/rides.ts';
import type { PaymentView, ReceiptView } from './schemas.ts';

export function viewPayment(payment: Payment): PaymentView {
  return {
    id: String(payment.id),
    rideId: String(payment.rideId),
    kind: payment.kind,
    amount: { amountCents: payment.amountCents, currency: payment.currency },
    method: payment.method,
    status: payment.status,
    createdAt: payment.createdAt.toISOString(),
  };
}

export function viewReceipt(ride: PaidRide, breakdown: Breakdown, payments: readonly Payment[]): ReceiptView {
  const fare = payments.find((payment) => payment.kind === 'fare' && payment.status === 'committed');
  return {
    rideId: String(ride.id),
    status: ride.status,
    fare: { amountCents: ride.fareCents, currency: ride.currency },
    breakdown: breakdown.lines.map(({ kind, label, cents }) => ({ kind, label, amountCents: cents })),
    payments: payments.map(viewPayment),
    chargedAt: fare?.createdAt.toISOString() ?? null,
  };
}
