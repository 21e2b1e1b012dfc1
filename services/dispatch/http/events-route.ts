/**
 * GET /v1/rides/{id}/events: the ride as server-sent events.
 *
 * Invariant: only the rider of the ride, or an operator, gets a stream. A client that comes back with the last event of a
 * ride that is over gets 204, on which an EventSource stops coming back.
 */
import { requireRole } from '../../../shared/http/auth.ts';
import { openEventStream } from '../../../shared/http/event-stream.ts';
import type { HttpApp } from '../../../shared/http/http-server.ts';
import { isTerminal } from '../domain/ride-state.ts';
import type { EventFeed } from '../events/event-feed.ts';
import type { DispatchDeps } from '../ports.ts';
import type { RideEvent } from '../store/ride-events.ts';
import { findOwnRide, sayUnit } from './requests.ts';
import { streamRide } from './ride-stream.ts';
import { EventHeaders, IdParams } from './schemas.ts';

const DESCRIPTION = `A \`text/event-stream\`. Each event's id is its number within the ride; its data is JSON with \`rideId\`,
\`status\` and \`at\`. Types: \`requested\`, \`assigned\` (with \`driverId\`, \`pickupEtaAt\`, \`dropoffEtaAt\`), \`arrived\`, \`onboard\`,
\`otp-failed\` (with \`triesLeft\`), \`completed\`, \`cancelled\`, \`rejected\` (with \`reason\`), \`rated\`. While a driver is bound to
the ride, \`position\` events without id carry \`lat\`, \`lon\`, \`at\`. Send Last-Event-ID to resume. The stream ends with the ride;
204 where nothing is left to tell.`;

export function addEventsRoute(app: HttpApp, deps: DispatchDeps, feed: EventFeed<RideEvent>): void {
  app.get('/v1/rides/:id/events', {
    onRequest: requireRole('rider', 'operator'),
    schema: { tags: ['rides'], summary: 'Follow a ride', description: DESCRIPTION, params: IdParams, headers: EventHeaders },
  }, async (request, reply) => {
    const ride = await findOwnRide(deps, request);
    sayUnit(reply, ride.unit);
    const after = Number(request.headers['last-event-id'] ?? 0);
    if (isTerminal(ride.status) && after >= ride.eventSeq) return reply.code(204).send();
    const stream = openEventStream(reply);
    await streamRide({ feed, location: deps.location, log: deps.log }, stream, { ride, after: BigInt(after) });
    return reply;
  });
}
