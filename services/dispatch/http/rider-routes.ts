/**
 * The rider's HTTP API: quotes, rides, cancelling, rating.
 *
 * Invariant: a rider sees and changes their own rides only, and is told of others' as of rides that do not exist; an
 * operator sees all. Nothing is written, not even an idempotency key, before it is certain that the unit is at home here.
 */
import { requireRole } from '../../../shared/http/auth.ts';
import type { HttpApp } from '../../../shared/http/http-server.ts';
import { idempotentRequestOf, sendAnswer } from '../../../shared/http/idempotency.ts';
import { parseId } from '../../../shared/id/id-layout.ts';
import { unitOfPlace } from '../../../shared/unit/unit.ts';
import { bookRide } from '../flows/book.ts';
import { cancelRide } from '../flows/cancel.ts';
import { makeQuote } from '../flows/quote.ts';
import { rateRide } from '../flows/rate.ts';
import { nobody } from '../flows/write.ts';
import type { DispatchDeps } from '../ports.ts';
import { insertQuote } from '../store/quotes.ts';
import { quoteView, rideView } from '../wire.ts';
import { answerOnce, findOwnQuote, findOwnRide, idIn, sayUnit, viewerOf } from './requests.ts';
import { BookBody, CancelBody, IdParams, KeyedHeaders, QuoteBody, QuoteView, RatingBody, RideView } from './schemas.ts';

const TAGS = ['rides'];

export function addRiderRoutes(app: HttpApp, deps: DispatchDeps): void {
  addQuotes(app, deps);
  addRides(app, deps);
  addEnds(app, deps);
}

function addQuotes(app: HttpApp, deps: DispatchDeps): void {
  app.post('/v1/quotes', {
    onRequest: requireRole('rider'),
    schema: {
      tags: TAGS,
      summary: 'Ask what a ride costs and what is promised',
      description: 'The price holds until `expiresAt`. The promise is for a booking at once; the ride states its own.',
      headers: KeyedHeaders,
      body: QuoteBody,
      response: { 201: QuoteView },
    },
  }, async (request, reply) => {
    const { pickup, dropoff, seats = 1, pooled = true } = request.body;
    const unit = unitOfPlace(pickup);
    sayUnit(reply, unit);
    deps.units.assertHome(unit);
    const once = idempotentRequestOf(request);
    const quote = await makeQuote(deps, { riderId: once.accountId, pickup, dropoff, seats, pooled });
    const answer = await answerOnce(deps, { request: once, unit }, async (tx) => {
      await insertQuote(tx, quote);
      return { status: 201, body: quoteView(quote) };
    });
    return sendAnswer(reply, answer);
  });
}

function addRides(app: HttpApp, deps: DispatchDeps): void {
  app.post('/v1/rides', {
    onRequest: requireRole('rider'),
    schema: {
      tags: TAGS,
      summary: 'Book a ride from a quote',
      description: 'Answers at once with status `requested`; follow the ride\'s events for the driver.',
      headers: KeyedHeaders,
      body: BookBody,
      response: { 201: RideView },
    },
  }, async (request, reply) => {
    const quote = await findOwnQuote(deps, { quoteId: parseId(request.body.quoteId, 'quoteId'), riderId: request.caller.accountId });
    sayUnit(reply, quote.unit);
    deps.units.assertHome(quote.unit);
    let told = nobody();
    const answer = await answerOnce(deps, { request: idempotentRequestOf(request), unit: quote.unit }, async (tx) => {
      told = nobody();
      const ride = await bookRide({ tx, deps, now: new Date(deps.nowMs()), told }, quote);
      return { status: 201, body: rideView(ride, 'rider') };
    });
    deps.nudges.publish(told);
    return sendAnswer(reply, answer);
  });

  app.get('/v1/rides/:id', {
    onRequest: requireRole('rider', 'operator'),
    schema: { tags: TAGS, summary: 'See a ride', params: IdParams, response: { 200: RideView } },
  }, async (request, reply) => {
    const ride = await findOwnRide(deps, request);
    sayUnit(reply, ride.unit);
    return rideView(ride, viewerOf(request));
  });
}

function addEnds(app: HttpApp, deps: DispatchDeps): void {
  app.post('/v1/rides/:id/cancel', {
    onRequest: requireRole('rider', 'operator'),
    schema: {
      tags: TAGS,
      summary: 'Call a ride off before boarding',
      description: 'Frees the driver at once. Cancelling twice is no error.',
      params: IdParams,
      body: CancelBody,
      response: { 200: RideView },
    },
  }, async (request, reply) => {
    const { unit } = await findOwnRide(deps, request);
    sayUnit(reply, unit);
    const ride = await cancelRide(deps, { rideId: idIn(request), reason: request.body?.reason ?? request.caller.role });
    return rideView(ride, viewerOf(request));
  });

  app.post('/v1/rides/:id/rating', {
    onRequest: requireRole('rider'),
    schema: {
      tags: TAGS,
      summary: 'Rate a completed ride',
      description: 'Once; the same stars again are no error.',
      params: IdParams,
      body: RatingBody,
      response: { 200: RideView },
    },
  }, async (request, reply) => {
    const { unit } = await findOwnRide(deps, request);
    sayUnit(reply, unit);
    const ride = await rateRide(deps, { rideId: idIn(request), ...request.body });
    return rideView(ride, viewerOf(request));
  });
}
