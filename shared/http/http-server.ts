/**
 * The HTTP server that every process builds: fastify with the habits of Tandem (problems, ids, traces, metrics, health).
 *
 * Invariant: whatever happens to a request, its answer is either the route's own or a problem+json; nothing of an
 * unexpected error leaves the process. Building begins no I/O: listen() does.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { LogController, fastify } from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest, RawServerDefault } from 'fastify';
import { assert } from '../kernel/assert.ts';
import { CODES } from '../kernel/codes.ts';
import { withDeadline } from '../kernel/deadline.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { OpenSpan } from '../telemetry/tracing.ts';
import { AppState } from './app-state.ts';
import type { VerifyToken } from './app-state.ts';
import type { Caller } from './auth.ts';
import { answerClientError } from './client-error.ts';
import { addHealthRoutes } from './health.ts';
import type { ReadyCheck } from './health.ts';
import { documentRoutes } from './openapi.ts';
import type { OpenApiOptions } from './openapi.ts';
import { PROBLEM_CONTENT_TYPE, problemOf } from './problem.ts';
import { logFailure, pathOf, recordRequests, requestIdOf } from './request-record.ts';
import { closeSchema, createValidatorCompiler, validationError } from './validation.ts';
import { guardWrites } from './write-gate.ts';
import type { WriteGate } from './write-gate.ts';
import { tellWrittenVersion } from './written-token.ts';

export const BODY_BYTES_MAX = 64 * 1024;
/** For a client to send its whole request. */
export const RECEIVE_DEADLINE_MS = 15_000;
/** Longer than the routers keep an idle connection, so that it is never us who closes one just as a request comes in. */
export const KEEP_ALIVE_MS = 72_000;
const CLOSE_DEADLINE_MS = 1_500;

export type HttpApp = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, Log, TypeBoxTypeProvider>;

/** Any request and reply, for what does not depend on a route's schema. */
export type HttpRequest = FastifyRequest<any, any, any, any, any, any, any, any>;
export type HttpReply = FastifyReply<any, any, any, any, any, any, any, any>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** No trace: asked for every second by machines. */
    isQuiet?: boolean;
  }
  interface FastifyInstance {
    tandem: AppState;
  }
  interface FastifyRequest {
    /** Set by requireRole(); reading it on a route without is a programmer's error. */
    caller: Caller;
    span: OpenSpan | undefined;
    isStream: boolean;
  }
}

export interface HttpOptions {
  readonly name: string;
  readonly log: Log;
  readonly metrics: Metrics;
  /** createVerifier() of auth.ts; needed where routes use requireRole(). */
  readonly verifyToken?: VerifyToken;
  /** What must work for /health/ready to say 200. */
  readonly checks?: Readonly<Record<string, ReadyCheck>>;
  /** The clock that stamps what the routes write; with it their answers carry a Tandem-Token. */
  readonly clock?: { now(): bigint };
  /** Asked before each handler of an unsafe method. */
  readonly writes?: WriteGate | undefined;
  /** Serves /openapi.json. */
  readonly openapi?: OpenApiOptions;
}

/** A server with /health/live, /health/ready, /metrics and, if asked for, /openapi.json. Routes are added by the caller. */
export function buildHttp({ name, log, metrics, verifyToken, checks = {}, clock, writes, openapi }: HttpOptions): HttpApp {
  const app: HttpApp = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIdOf,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: RECEIVE_DEADLINE_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply),
    schemaErrorFormatter: validationError,
  }).withTypeProvider<TypeBoxTypeProvider>();
  const state = new AppState({ verifyToken });
  app.decorate('tandem', state);
  decorateCaller(app);
  app.setValidatorCompiler(createValidatorCompiler());
  app.removeContentTypeParser('text/plain');
  app.addHook('onRoute', (route) => {
    state.routes.add(route.url, route.method);
    if (route.schema !== undefined) route.schema = closeSchema(route.schema);
  });
  recordRequests(app, { state, metrics });
  if (clock !== undefined) tellWrittenVersion(app, clock);
  if (writes !== undefined) guardWrites(app, writes);
  if (openapi !== undefined) documentRoutes(app, { name, ...openapi });
  app.setErrorHandler(sendProblem);
  app.setNotFoundHandler((request, reply) => sendProblem(state.routes.refusal(request.method, pathOf(request.url)), request, reply));
  addHealthRoutes(app, { state, metrics, checks });
  return app;
}

function sendProblem(error: unknown, request: HttpRequest, reply: HttpReply): void {
  const { status, headers, body } = problemOf(error, { path: pathOf(request.url), requestId: request.id });
  logFailure(request, error, { status, isRetryable: CODES[body['code'] as keyof typeof CODES].retryable });
  if (status >= 500) request.span?.fail(error);
  reply.code(status).headers(headers).header('content-type', PROBLEM_CONTENT_TYPE).serializer(String).send(JSON.stringify(body));
}

const callers = new WeakMap<object, Caller>();

function decorateCaller(app: HttpApp): void {
  app.decorateRequest('caller', {
    getter(this: HttpRequest) {
      const caller = callers.get(this.raw);
      assert(caller !== undefined, `${this.routeOptions.url} reads request.caller without requireRole()`);
      return caller;
    },
    setter(this: HttpRequest, caller: Caller) {
      callers.set(this.raw, caller);
    },
  } as never);
}

/** Begins to serve; port 0 takes a free one. Throws port-taken. */
export async function listen(app: HttpApp, { host, port }: { readonly host: string; readonly port: number }): Promise<{ port: number }> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new TandemError('port-taken', `Port ${port} of ${host} is taken.`, { cause, details: { host, port } });
  }
  const address = app.server.address();
  assert(address !== null && typeof address === 'object', 'a TCP server has a port');
  return { port: address.port };
}

/** From now on /health/ready says 503, answers close their connections, open streams are told and end. */
export function drain(app: HttpApp): void {
  app.tandem.drain();
}

/** Ends the server: requests in hand get CLOSE_DEADLINE_MS, then their connections are cut. */
export async function closeHttp(app: HttpApp): Promise<void> {
  drain(app);
  try {
    await withDeadline('close of the HTTP server', CLOSE_DEADLINE_MS, async () => app.close());
  } catch (error) {
    if (!isTandemError(error, 'deadline-exceeded')) throw error;
    app.server.closeAllConnections();
  }
}

/** The server as a part of a Lifecycle. It drains until the requests in hand are answered. */
export function httpPart(app: HttpApp, address: { readonly host: string; readonly port: number }): {
  name: string;
  start(): Promise<void>;
  drain(): Promise<void>;
  stop(): Promise<void>;
} {
  return {
    name: 'http',
    start: async () => void (await listen(app, address)),
    drain: async () => {
      drain(app);
      await app.tandem.idle();
    },
    stop: () => closeHttp(app),
  };
}
