/**
 * The driver's HTTP API: shifts, offers, stops.
 *
 * Invariant: a driver acts on their own offers and stops only; those of others are told as not existing. Every answer
 * carries the plan as it stands after the call, so that a driver whose stream is broken can still drive.
 */
import { requireRole } from '../../../shared/http/auth.ts';
import type { HttpApp, HttpReply } from '../../../shared/http/http-server.ts';
import { unitOfAccount } from '../../../shared/unit/unit.ts';
import { acceptOffer } from '../flows/accept.ts';
import { declineOffer } from '../flows/close-offer.ts';
import { endShift, startShift } from '../flows/shift.ts';
import { alightRider, arriveAtStop, boardRider } from '../flows/stops.ts';
import type { AtStop, StopRequest } from '../flows/stops.ts';
import type { DispatchDeps } from '../ports.ts';
import { offerView, rideView, routeView, shiftView, stopView } from '../wire.ts';
import { idIn, sayUnit } from './requests.ts';
import type { IdRequest } from './requests.ts';
import { AcceptView, AtStopView, BoardBody, DeclineView, IdParams, ShiftBody, ShiftView } from './schemas.ts';

const TAGS = ['driving'];

export function addDriverRoutes(app: HttpApp, deps: DispatchDeps): void {
  addShift(app, deps);
  addOffers(app, deps);
  addStops(app, deps);
}

function addShift(app: HttpApp, deps: DispatchDeps): void {
  app.put('/v1/driver/shift', {
    onRequest: requireRole('driver'),
    schema: {
      tags: TAGS,
      summary: 'Go on shift or off',
      description: 'On: opens a route, to which offers then come over the stream. Off: refused with riders aboard or planned.',
      body: ShiftBody,
      response: { 200: ShiftView },
    },
  }, async (request, reply) => {
    const driverId = request.caller.accountId;
    const { status, vehicle } = request.body;
    sayUnit(reply, unitOfAccount(driverId));
    const shift = status === 'on' ? await startShift(deps, { driverId, vehicle }) : await endShift(deps, driverId);
    return shiftView(shift);
  });
}

function addOffers(app: HttpApp, deps: DispatchDeps): void {
  app.post('/v1/driver/offers/:id/accept', {
    onRequest: requireRole('driver'),
    schema: {
      tags: TAGS,
      summary: 'Take an offered ride',
      description: 'Checked again from where the car is now: 409 `offer-gone` where it was lost or no longer fits.',
      params: IdParams,
      response: { 200: AcceptView },
    },
  }, async (request, reply) => {
    const { accountId: driverId } = request.caller;
    sayUnit(reply, unitOfAccount(driverId));
    const { offer, ride, route, stops } = await acceptOffer(deps, { offerId: idIn(request), driverId });
    return { offer: offerView(offer, ride), route: routeView(route, stops) };
  });

  app.post('/v1/driver/offers/:id/decline', {
    onRequest: requireRole('driver'),
    schema: {
      tags: TAGS,
      summary: 'Turn an offered ride down',
      description: 'The ride is put to somebody else at once, and never to this driver again.',
      params: IdParams,
      response: { 200: DeclineView },
    },
  }, async (request, reply) => {
    const { accountId: driverId } = request.caller;
    sayUnit(reply, unitOfAccount(driverId));
    const { offer, ride } = await declineOffer(deps, { offerId: idIn(request), driverId });
    return { offer: offerView(offer, ride) };
  });
}

function addStops(app: HttpApp, deps: DispatchDeps): void {
  app.post('/v1/driver/stops/:id/arrive', {
    onRequest: requireRole('driver'),
    schema: {
      tags: TAGS,
      summary: 'Arrive at the next stop',
      description: 'At a pick-up the rider is told that the car is there.',
      params: IdParams,
      response: { 200: AtStopView },
    },
  }, async (request, reply) => atStopView(await arriveAtStop(deps, stopOf(request, reply))));

  app.post('/v1/driver/stops/:id/board', {
    onRequest: requireRole('driver'),
    schema: {
      tags: TAGS,
      summary: 'Let the rider board, with their OTP',
      description: 'After five wrong tries the ride is locked: 422 `otp-mismatch` whatever is sent.',
      params: IdParams,
      body: BoardBody,
      response: { 200: AtStopView },
    },
  }, async (request, reply) => atStopView(await boardRider(deps, { ...stopOf(request, reply), otp: request.body.otp })));

  app.post('/v1/driver/stops/:id/alight', {
    onRequest: requireRole('driver'),
    schema: {
      tags: TAGS,
      summary: 'Let the rider out: the ride is completed',
      description: 'The fare is on record in the same moment; payment charges it.',
      params: IdParams,
      response: { 200: AtStopView },
    },
  }, async (request, reply) => atStopView(await alightRider(deps, stopOf(request, reply))));
}

function atStopView({ stop, ride, route, stops }: AtStop) {
  return { stop: stopView(stop), ride: rideView(ride, 'other'), route: routeView(route, stops) };
}

function stopOf(request: IdRequest, reply: HttpReply): StopRequest {
  const { accountId: driverId } = request.caller;
  sayUnit(reply, unitOfAccount(driverId));
  return { stopId: idIn(request), driverId };
}
