/**
 * The router as an HTTP server: everything under /v1 goes through the front door, the rest is about the router itself.
 *
 * Invariant: it reads no environment and opens no port. A request under /v1 is answered by a service, or by one problem.
 */
import type { IncomingMessage } from 'node:http';
import type { RegionName, Regions } from '../../shared/kernel/region.ts';
import type { VerifyToken } from '../../shared/http/auth.ts';
import { addDocsPage } from '../../shared/http/docs-page.ts';
import { buildHttp } from '../../shared/http/http-server.ts';
import type { HttpApp } from '../../shared/http/http-server.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import { injectTrace } from '../../shared/telemetry/trace-context.ts';
import { HomeFinder } from './domain/home.ts';
import { LearnedUnits } from './domain/learned-units.ts';
import { addOpenApiRoute } from './http/open-api-route.ts';
import { FrontDoor } from './proxy/front-door.ts';
import { OpenStreams } from './proxy/open-streams.ts';
import type { OpenStream } from './proxy/open-streams.ts';
import { recordRouter } from './proxy/router-metrics.ts';
import { UpgradeDoor } from './proxy/upgrade-door.ts';
import type { Upstreams } from './proxy/upstreams.ts';

export interface RouterDeps {
  readonly region: RegionName;
  readonly regions: Regions;
  readonly upstreams: Upstreams;
  /** What etcd says; undefined while it has said nothing. */
  readonly homeOfUnit: (unit: number) => RegionName | undefined;
  readonly verifyToken: VerifyToken;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Monotonic. */
  readonly nowMs: () => number;
}

export interface Router {
  readonly app: HttpApp;
  readonly streams: OpenStreams;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

export function buildRouter(deps: RouterDeps): Router {
  const { region, regions, upstreams, verifyToken, log, metrics, nowMs } = deps;
  const app = buildHttp({ name: 'router', log, metrics, checks: { upstreams: async () => assertServed(upstreams) } });
  const streams = new OpenStreams((stream) => leaveOnDrain(app, stream));
  const learned = new LearnedUnits();
  const door = new FrontDoor({
    region, regions, upstreams, learned, streams, nowMs,
    homes: new HomeFinder({ region, regions, learned, homeOfUnit: deps.homeOfUnit }),
    // Who the caller is matters here for the way only; a bad token is answered by the service.
    accountOf: (authorization) => verifyToken(authorization).then((caller) => caller.accountId, () => undefined),
    trace: (headers) => void injectTrace(headers),
    observe: recordRouter(metrics, { upstreams, streams }),
  });
  addApiRoutes(app, door);
  addOpenApiRoute(app, { upstreams, nowMs });
  addDocsPage(app, { title: 'Tandem API' });
  const upgrades = new UpgradeDoor(door, log);
  // Some HTTP clients offer h2c with whatever they send (Java's, curl --http2): what is not a WebSocket is a plain request.
  Object.assign(app.server, { shouldUpgradeCallback: (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === 'websocket' });
  app.server.on('upgrade', (request, socket, head) => {
    if (app.tandem.isDraining) upgrades.drain();
    void upgrades.handle(request, socket, head);
  });
  app.get('/', (_request, reply) =>
    reply.send({ name: 'tandem', region, api: '/v1', openapi: '/openapi.json', docs: '/docs', health: '/health/ready', metrics: '/metrics' }));
  return { app, streams };
}

function addApiRoutes(app: HttpApp, door: FrontDoor): void {
  void app.register(async (scope) => {
    // Bodies pass as they are: the front door reads the bytes itself.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.route({
      method: [...METHODS],
      url: '/v1/*',
      handler: async (request, reply) => {
        request.raw.headers['x-request-id'] = request.id;
        await door.handle(request.raw, reply.raw, (route) => {
          request.isStream = route.stream !== 'none';
          if (app.tandem.isDraining) reply.raw.setHeader('connection', 'close');
          reply.hijack();
        });
        return reply;
      },
    });
  });
}

/** A draining server tells its open streams to go; one that opens at that very moment goes at once. */
function leaveOnDrain(app: HttpApp, stream: OpenStream): void {
  const entry = { kind: stream.kind === 'sse' ? 'events' : 'socket', leave: () => stream.end('this router is stopping') } as const;
  if (app.tandem.isDraining) {
    entry.leave();
    return;
  }
  app.tandem.streams.add(entry);
  void stream.ended.then(() => app.tandem.streams.delete(entry));
}

function assertServed(upstreams: Upstreams): void {
  const unserved = upstreams.unserved();
  if (unserved.length > 0) throw new TandemError('not-ready', `no healthy instance of ${unserved.join(', ')}`);
}
