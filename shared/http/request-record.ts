/**
 * What is kept of every request: its id, its trace, its metrics, and a log line where something went wrong.
 *
 * Invariant: a request is recorded exactly once, when its answer has left or its connection is gone; query strings, which
 * may hold a token, are never recorded. Streams count as requests but not in the durations: how long somebody listened
 * says nothing about how fast we answer.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Metrics } from '../telemetry/metrics.ts';
import { extractTrace, openSpan } from '../telemetry/tracing.ts';
import type { AppState } from './app-state.ts';
import type { HttpApp, HttpReply, HttpRequest } from './http-server.ts';
import { REQUEST_ID, TRACE_ID } from './tandem-token.ts';

/** A caller's own id is kept if it is sane, else a new one is made. */
export function requestIdOf(raw: IncomingMessage): string {
  const given = raw.headers[REQUEST_ID];
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

/** The path without its query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

export function recordRequests(app: HttpApp, { state, metrics }: { readonly state: AppState; readonly metrics: Metrics }): void {
  const total = metrics.counter('http_requests_total', 'Requests answered, or given up by the client (499).', ['method', 'route', 'status']);
  const duration = metrics.histogram('http_request_duration_ms', 'From the first byte to the end of the answer; streams excepted.', { labels: ['method', 'route'] });
  metrics.observe('http_requests_in_flight', 'Requests being answered now, open streams among them.', [], (report) => report(state.requestsInFlight));
  metrics.observe('http_streams_open', 'Open event streams and sockets.', ['kind'], (report) => {
    for (const kind of ['events', 'socket'] as const) report([...state.streams].filter((stream) => stream.kind === kind).length, { kind });
  });

  app.decorateRequest('isStream', false);
  app.decorateRequest('span', undefined);

  app.addHook('onRequest', (request, reply, done) => {
    const beganMs = performance.now();
    const route = request.routeOptions.url ?? 'unmatched';
    state.requestBegan();
    reply.header(REQUEST_ID, request.id);
    // 'close' comes once for each answer, complete or not; fastify's onResponse misses a client that went away.
    reply.raw.once('close', () => {
      state.requestEnded();
      const status = statusOf(reply);
      total.add(1, { method: request.method, route, status });
      if (!request.isStream && status !== 101) duration.record(performance.now() - beganMs, { method: request.method, route });
      request.span?.note({ 'http.response.status_code': status });
      if (status >= 500) request.span?.fail(`HTTP ${status}`);
      request.span?.end();
    });
    if (request.routeOptions.config.isQuiet === true) return done();
    const attributes = { 'http.request.method': request.method, 'http.route': route, 'url.path': pathOf(request.url) };
    request.span = openSpan(`${request.method} ${route}`, { kind: 'server', parent: extractTrace(request.headers), attributes });
    if (request.span.traceId !== undefined) reply.header(TRACE_ID, request.span.traceId);
    request.span.run(done);
  });
  // The body arrives on the socket's own async context; from here on the request's own is needed again.
  app.addHook('preValidation', (request, _reply, done) => (request.span === undefined ? done() : request.span.run(done)));
  app.addHook('onSend', async (_request, reply) => {
    if (state.isDraining) reply.header('connection', 'close');
  });
}

/** A socket that was upgraded never had an answer of ours; a client that left before the answer began is a 499. */
function statusOf(reply: HttpReply): number {
  if (reply.raw.headersSent) return reply.raw.statusCode;
  return reply.sent && reply.request.headers.upgrade !== undefined ? 101 : 499;
}

/** 5xx are ours and logged as errors, or as warnings where trying again helps; what a client did wrong only for debugging. */
export function logFailure(request: HttpRequest, error: unknown, { status, isRetryable }: { readonly status: number; readonly isRetryable: boolean }): void {
  const fields = { err: error, method: request.method, path: pathOf(request.url), status };
  if (status < 500) request.log.debug(fields, 'request refused');
  else if (isRetryable) request.log.warn(fields, 'request failed for now');
  else request.log.error(fields, 'request failed');
}
