/**
 * The payment API: pay a ride, tip its driver, read the receipt.
 * Invariant: a money write is refused (409 cross-region-write) before anything is written, the idempotency key included,
 * unless the payer's unit is at home here; the payer is the caller, so this needs no look at the ride. Reads are
 * answered in any region. Rules of money are in domain/ and flows/, not here.
 */
import type { Static } from 'typebox';
import { requireRole } from '../../../shared/http/auth.ts';
import type { HttpApp, HttpReply, HttpRequest } from '../../../shared/http/http-server.ts';
import { idempotencyKeyOf, idempotentRequestOf, runIdempotent, sendAnswer } from '../../../shared/http/idempotency.ts';
import type { Answer } from '../../../shared/http/idempotency.ts';
import { TANDEM_FORWARDED, TANDEM_UNIT } from '../../../shared/http/tandem-token.ts';
import { parseId } from '../../../shared/id/id-layout.ts';
import type { Database, Sql } from '../../../shared/mysql/database.ts';
import { formatUnit, unitOfAccount } from '../../../shared/unit/unit.ts';
import { assertMoneyHome } from '../flows/money-home.ts';
import type { Whereabouts } from '../flows/money-home.ts';
import { awaitRide, payRide, readReceipt, tipRide } from '../flows/payments.ts';
import type { Asker } from '../flows/payments.ts';
import type { IdSource } from '../store/ledger.ts';
import { KeyedHeaders, PayBody, PaymentView, ReceiptView, RideParams, TipBody } from './schemas.ts';
import { viewPayment, viewReceipt } from './views.ts';

export type PaymentRouteDeps = {
  readonly db: Database;
  readonly clock: { now(): bigint };
  readonly ids: IdSource;
  readonly where: Whereabouts;
  readonly nowMs: () => number;
};

const TAGS = ['payments'];

export function addPaymentRoutes(app: HttpApp, deps: PaymentRouteDeps): void {
  app.post('/v1/rides/:id/payments', {
    onRequest: requireRole('rider'),
    schema: {
      tags: TAGS,
      summary: 'Pay a completed ride',
      description: 'Charges the fare now if it is not charged yet (201), else answers with the payment there is (200). Tandem also charges completed rides by itself, within seconds.',
      headers: KeyedHeaders,
      params: RideParams,
      body: PayBody,
      response: { 200: PaymentView, 201: PaymentView },
    },
  }, async (request, reply) => {
    await writeMoney(deps, { request, reply }, async (tx, rideId) => {
      const { kind, payment } = await payRide(tx, deps.ids, rideId);
      return { status: kind === 'charged' ? 201 : 200, body: viewPayment(payment) };
    });
  });

  app.post('/v1/rides/:id/tip', {
    onRequest: requireRole('rider'),
    schema: {
      tags: TAGS,
      summary: 'Tip the driver',
      description: 'Once a ride, after it is completed.',
      headers: KeyedHeaders,
      params: RideParams,
      body: TipBody,
      response: { 201: PaymentView },
    },
  }, async (request, reply) => {
    const { amountCents } = request.body;
    await writeMoney(deps, { request, reply }, async (tx, rideId) => ({
      status: 201,
      body: viewPayment(await tipRide(tx, deps.ids, rideId, amountCents)),
    }));
  });

  app.get('/v1/rides/:id/receipt', {
    onRequest: requireRole('rider', 'operator'),
    schema: {
      tags: TAGS,
      summary: 'Read the receipt of a ride',
      description: 'In any region. The breakdown is the one the rider was quoted.',
      params: RideParams,
      response: { 200: ReceiptView },
    },
  }, async (request, reply) => {
    const { ride, breakdown, payments } = await readReceipt(deps.db, deps.where, askerOf(request), rideIdIn(request));
    void reply.header(TANDEM_UNIT, formatUnit(ride.unit));
    return viewReceipt(ride, breakdown, payments);
  });
}

/** Answers the request. The order matters: home, key, ride; only then the first write. */
async function writeMoney(
  deps: PaymentRouteDeps,
  { request, reply }: { readonly request: HttpRequest; readonly reply: HttpReply },
  work: (tx: Sql, rideId: bigint) => Promise<Answer>,
): Promise<void> {
  const { db, clock, nowMs, where } = deps;
  const unit = unitOfAccount(request.caller.accountId);
  void reply.header(TANDEM_UNIT, formatUnit(unit));
  assertMoneyHome(unit, where);
  idempotencyKeyOf(request);
  const ride = await awaitRide(db, where, askerOf(request), rideIdIn(request));
  const answer = await runIdempotent({ db, clock, nowMs, request: idempotentRequestOf(request), unit }, (tx) => work(tx, ride.id));
  await sendAnswer(reply, answer);
}

function rideIdIn(request: HttpRequest): bigint {
  return parseId((request.params as Static<typeof RideParams>).id);
}

function askerOf(request: HttpRequest): Asker {
  return { ...request.caller, isForwarded: request.headers[TANDEM_FORWARDED] !== undefined };
}
