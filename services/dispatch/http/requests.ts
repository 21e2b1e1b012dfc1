/**
 * What the routes have in common: for which id somebody asks, and whose that is.
 *
 * Invariant: a row of somebody else is answered as one that does not exist; an operator sees every ride. The unit goes
 * into the answer as soon as it is known, so that routers learn it from refusals too.
 */
import { runIdempotent } from '../../../shared/http/idempotency.ts';
import type { Answer, IdempotentRequest } from '../../../shared/http/idempotency.ts';
import type { HttpReply, HttpRequest } from '../../../shared/http/http-server.ts';
import { TANDEM_UNIT } from '../../../shared/http/tandem-token.ts';
import { parseId } from '../../../shared/id/id-layout.ts';
import type { Sql } from '../../../shared/mysql/database.ts';
import { formatUnit } from '../../../shared/unit/unit.ts';
import { absent, notTheirs } from '../flows/absent.ts';
import type { DispatchDeps } from '../ports.ts';
import { findQuote } from '../store/quotes.ts';
import type { Quote } from '../store/quotes.ts';
import { findRide } from '../store/rides.ts';
import type { Ride } from '../store/rides.ts';

export type IdRequest = Pick<HttpRequest, 'caller'> & { readonly params: { readonly id: string } };

/** Throws validation-failed beyond 63 bits. */
export function idIn(request: Pick<IdRequest, 'params'>): bigint {
  return parseId(request.params.id);
}

export function sayUnit(reply: HttpReply, unit: number): void {
  reply.header(TANDEM_UNIT, formatUnit(unit));
}

/** The rider is shown more than anybody else. */
export function viewerOf({ caller }: Pick<HttpRequest, 'caller'>): 'rider' | 'other' {
  return caller.role === 'rider' ? 'rider' : 'other';
}

/** Throws not-found. */
export async function findOwnRide(deps: DispatchDeps, request: IdRequest): Promise<Ride> {
  const id = idIn(request);
  const ride = await findRide(deps.db, id);
  if (ride === undefined) throw absent('ride', id);
  const { accountId, role } = request.caller;
  if (role !== 'operator' && ride.riderId !== accountId) throw notTheirs('ride', id);
  return ride;
}

/** Throws not-found. */
export async function findOwnQuote(deps: DispatchDeps, input: { quoteId: bigint; riderId: bigint }): Promise<Quote> {
  const quote = await findQuote(deps.db, input.quoteId);
  if (quote === undefined) throw absent('quote', input.quoteId);
  if (quote.riderId !== input.riderId) throw notTheirs('quote', input.quoteId);
  return quote;
}

/** Does `work` once for the request's idempotency key. The home check must have come before. */
export function answerOnce(
  { db, clock, nowMs }: DispatchDeps,
  input: { request: IdempotentRequest; unit: number },
  work: (tx: Sql) => Promise<Answer>,
): Promise<Answer> {
  return runIdempotent({ db, clock, nowMs, ...input }, work);
}
