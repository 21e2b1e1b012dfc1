/**
 * Dispatch as an HTTP application: all its routes over what main.ts or a test hands in.
 *
 * Invariant: building it reads no environment, opens no port and starts no loop.
 */
import { buildHttp } from '../../shared/http/http-server.ts';
import type { HttpApp } from '../../shared/http/http-server.ts';
import type { VerifyToken } from '../../shared/http/auth.ts';
import type { ReadyCheck } from '../../shared/http/health.ts';
import type { WriteGate } from '../../shared/http/write-gate.ts';
import { TANDEM_FORWARDED } from '../../shared/http/tandem-token.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import type { EventFeed } from './events/event-feed.ts';
import { addDriverRoutes } from './http/driver-routes.ts';
import { addEventsRoute } from './http/events-route.ts';
import { carryAbsent } from './http/home.ts';
import { addRiderRoutes } from './http/rider-routes.ts';
import type { DispatchDeps } from './ports.ts';
import type { RideEvent } from './store/ride-events.ts';

export type DispatchAppDeps = {
  readonly dispatch: DispatchDeps;
  readonly rideFeed: EventFeed<RideEvent>;
  readonly verifyToken: VerifyToken;
  /** The RPO guard; without one every write is taken. */
  readonly writes?: WriteGate;
  readonly checks: Readonly<Record<string, ReadyCheck>>;
  readonly log: Log;
  readonly metrics: Metrics;
};

const OPENAPI = {
  title: 'Tandem dispatch',
  version: '1',
  description: 'Quotes, rides, shifts, offers and stops.',
  tags: [
    { name: 'rides', description: 'For riders: ask, book, follow, call off, rate.' },
    { name: 'driving', description: 'For drivers: shifts, offers, stops.' },
  ],
};

export function buildDispatch({ dispatch, rideFeed, verifyToken, writes, checks, log, metrics }: DispatchAppDeps): HttpApp {
  const app = buildHttp({ name: 'dispatch', log, metrics, verifyToken, checks, writes, clock: dispatch.clock, openapi: OPENAPI });
  void app.register(async (routes) => {
    // The same server with the same types; register() forgets them.
    const scope = routes as unknown as HttpApp;
    // What is thrown here goes on to the handler above, which answers with a problem.
    scope.setErrorHandler((error, request) => {
      throw carryAbsent(dispatch, error, { isForwarded: request.headers[TANDEM_FORWARDED] !== undefined });
    });
    addRiderRoutes(scope, dispatch);
    addEventsRoute(scope, dispatch, rideFeed);
    addDriverRoutes(scope, dispatch);
  });
  return app;
}
