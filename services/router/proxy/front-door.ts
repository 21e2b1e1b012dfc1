/**
 * What happens to one client request: find its route and its home, have it answered, pass the answer on.
 *
 * Invariant: handle() throws only while nothing has been sent to the client; from the first byte on it ends the answer
 * itself. A client never sees 421, and money is never carried to the other region: it is told 409 with the home's name.
 * It decides nothing about instances (upstreams.ts) nor about sides (placement.ts).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Regions } from '../../../shared/kernel/region.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { UNIT_COUNT } from '../../../shared/unit/unit.ts';
import type { HomeClues, HomeFinder } from '../domain/home.ts';
import type { LearnedUnits } from '../domain/learned-units.ts';
import { planSides } from '../domain/placement.ts';
import type { Side } from '../domain/placement.ts';
import { matchRoute } from '../domain/route-table.ts';
import type { Route } from '../domain/route-table.ts';
import type { FailureKind } from './call-failure.ts';
import { Exchange, headerText } from './exchange.ts';
import type { ExchangeOutcome } from './exchange.ts';
import { requestHeaders, responseHeaders } from './headers.ts';
import type { HeaderMap } from './headers.ts';
import type { OpenStreams } from './open-streams.ts';
import { readBody } from './request-body.ts';
import type { UpstreamAnswer } from './upstream.ts';
import type { Upstreams } from './upstreams.ts';

/** After this a client may well have better luck: a home has moved, an instance is back. */
const RETRY_AFTER_S = 1;

/** One request that came to an end, for metrics. */
export interface Carried {
  readonly route: string;
  readonly service: string;
  /** Who asked: a client, or the peer's router for its client. */
  readonly source: 'client' | 'peer';
  readonly answeredBy: Side | 'none';
  readonly outcome: 'ok' | 'client-error' | 'server-error' | 'unavailable' | 'timeout' | 'aborted';
  readonly latencyMs: number;
}

export interface FrontDoorDeps {
  readonly region: string;
  readonly regions: Regions;
  readonly upstreams: Upstreams;
  readonly homes: HomeFinder;
  readonly learned: LearnedUnits;
  readonly streams: OpenStreams;
  /** The account of a valid token; undefined for any other: the service behind says what is wrong with it. */
  readonly accountOf: (authorization: string | undefined) => Promise<bigint | undefined>;
  /** Adds the headers by which a trace goes on. */
  readonly trace: (headers: HeaderMap) => void;
  readonly observe: (carried: Carried) => void;
  /** Monotonic. */
  readonly nowMs: () => number;
}

/** A request with its route and its plan. */
export interface Placed {
  readonly route: Route;
  readonly clues: HomeClues;
  readonly sides: readonly Side[];
  readonly source: 'client' | 'peer';
}

export class FrontDoor {
  readonly deps: FrontDoorDeps;
  readonly #exchange: Exchange;

  constructor(deps: FrontDoorDeps) {
    this.deps = deps;
    this.#exchange = new Exchange({ upstreams: deps.upstreams, nowMs: deps.nowMs });
  }

  /**
   * Answers one request. `begin` is called right before the first byte goes out. Throws TandemError before that: not-found,
   * method-not-allowed, body-too-large, cross-region-write, upstream-unavailable, deadline-exceeded; not-home to a peer's router only.
   */
  async handle(request: IncomingMessage, response: ServerResponse, begin: (route: Route) => void): Promise<void> {
    const beganMs = this.deps.nowMs();
    const route = routeOf(request);
    const abort = new AbortController();
    response.once('close', () => abort.abort());
    const body = await readBody(request);
    const placed = await this.place(request, route, body);
    const outcome = await this.#exchange.run({
      route: placed.route,
      sides: placed.sides,
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headersFor: (side) => this.headersFor(request, side),
      body,
      hasKey: request.headers['idempotency-key'] !== undefined,
      signal: abort.signal,
    });
    this.observe(placed, outcome.kind === 'answer' ? outcome.side : 'none', outcomeOf(outcome), beganMs);
    if (outcome.kind !== 'answer') throw this.refusal(placed, outcome);
    this.#learn(placed, outcome.answer);
    begin(route);
    await this.#relay(placed, outcome, response);
  }

  /** Reads what the request tells about its unit and plans whom to ask. */
  async place(request: IncomingMessage, route: Route, body: Buffer | null): Promise<Placed> {
    const { deps } = this;
    const id = matchedId(request);
    const accountId = route.unitFrom === 'caller' ? await deps.accountOf(authorizationOf(request, route)) : undefined;
    const clues = { route, id, body, accountId };
    const isForwarded = this.#forwarderOf(request) !== undefined;
    const sides = planSides({ route, home: deps.homes.homeOf(clues), isForwarded });
    return { route, clues, sides, source: isForwarded ? 'peer' : 'client' };
  }

  headersFor(request: IncomingMessage, side: Side): HeaderMap {
    // A service must know that nobody will carry this any further: it answers 404 where it would else say 421.
    const forwardedBy = side === 'peer' ? this.deps.region : this.#forwarderOf(request);
    const headers = requestHeaders(request, { forwardedBy });
    this.deps.trace(headers);
    return headers;
  }

  observe(placed: Placed, answeredBy: Side | 'none', outcome: Carried['outcome'], beganMs: number): void {
    const { route, source } = placed;
    const latencyMs = this.deps.nowMs() - beganMs;
    this.deps.observe({ route: route.name, service: route.service, source, answeredBy, outcome, latencyMs });
  }

  /** The error that stands for an outcome without an answer. */
  refusal(placed: Placed, outcome: Exclude<ExchangeOutcome, { kind: 'answer' }>): TandemError {
    const { service, money } = placed.route;
    if (outcome.kind === 'failed') return failureError(outcome.failure, outcome.target, service);
    const home = outcome.home ?? this.deps.regions.peerOf(this.deps.region);
    if (placed.source === 'peer') {
      return new TandemError('not-home', `the home of this request is ${home}, not ${this.deps.region}`, { details: { home } });
    }
    if (money) {
      const message = `money is only moved at the home of the payer, which is ${home}; nothing was written here`;
      return new TandemError('cross-region-write', message, { details: { home } });
    }
    return new TandemError('upstream-unavailable', 'no region takes this unit for its own right now: its home is moving', {
      details: { service, home, retryAfterS: RETRY_AFTER_S },
    });
  }

  /** Only a region of this deployment other than this one can have carried a request here. */
  #forwarderOf(request: IncomingMessage): string | undefined {
    const by = headerText(request.headers['tandem-forwarded']);
    return by !== undefined && by !== this.deps.region && this.deps.regions.has(by) ? by : undefined;
  }

  #learn({ route, clues }: Placed, answer: UpstreamAnswer): void {
    const text = headerText(answer.headers['tandem-unit']);
    if (route.unitFrom !== 'ride' || clues.id === undefined || text === undefined) return;
    const unit = Number(text);
    if (Number.isInteger(unit) && unit >= 0 && unit < UNIT_COUNT && answer.status < 400) this.deps.learned.learn(clues.id, unit);
  }

  async #relay(placed: Placed, outcome: { answer: UpstreamAnswer; side: Side }, response: ServerResponse): Promise<void> {
    const { answer } = outcome;
    response.writeHead(answer.status, responseHeaders(answer.headers));
    if (placed.route.stream === 'sse' && answer.status === 200) return this.#relayStream(placed, outcome, response);
    // A broken body breaks the client's connection: the only way to say "incomplete" once the status is out.
    await pipeline(answer.body, response).catch(() => response.destroy());
  }

  async #relayStream(placed: Placed, { answer, side }: { answer: UpstreamAnswer; side: Side }, response: ServerResponse): Promise<void> {
    const ended = Promise.withResolvers<void>();
    response.flushHeaders();
    answer.body.pipe(response);
    // A stream that breaks off ends: the client comes back with Last-Event-ID, here or at an instance that works.
    answer.body.once('error', () => response.end());
    response.once('close', () => {
      answer.body.destroy();
      ended.resolve();
    });
    this.deps.streams.add({
      kind: 'sse',
      side,
      home: () => (placed.source === 'peer' ? undefined : this.deps.homes.homeOf(placed.clues)),
      end: () => {
        answer.body.unpipe(response);
        response.end();
      },
      ended: ended.promise,
    });
    await ended.promise;
  }
}

/** Browsers cannot set headers on a stream: there the token may stand in the query, as shared/http/auth.ts has it. */
function authorizationOf(request: IncomingMessage, route: Route): string | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined || route.stream === 'none') return authorization;
  const token = new URLSearchParams((request.url ?? '').split('?')[1]).get('access_token');
  return token === null ? undefined : `Bearer ${token}`;
}

/** Throws not-found, or method-not-allowed with details.allow. */
export function routeOf(request: IncomingMessage): Route {
  const match = matchRoute(request.method ?? 'GET', pathOf(request));
  if (match.kind === 'route') return match.route;
  if (match.kind === 'unknown') throw new TandemError('not-found', `there is nothing at ${pathOf(request)}`);
  const allow = match.allow.join(', ');
  throw new TandemError('method-not-allowed', `${pathOf(request)} takes ${allow}`, { details: { allow } });
}

export function failureError(failure: FailureKind, target: string, service: string): TandemError {
  const details = { service, target, retryAfterS: RETRY_AFTER_S };
  if (failure === 'aborted') return new TandemError('cancelled', 'the client went away', { details });
  if (failure === 'timeout') return new TandemError('deadline-exceeded', `${service} did not answer in time`, { details });
  return new TandemError('upstream-unavailable', `${service} cannot be reached`, { details });
}

function matchedId(request: IncomingMessage): string | undefined {
  const match = matchRoute(request.method ?? 'GET', pathOf(request));
  return match.kind === 'route' ? match.id : undefined;
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

function outcomeOf(outcome: ExchangeOutcome): Carried['outcome'] {
  if (outcome.kind === 'not-home') return 'unavailable';
  if (outcome.kind === 'failed') {
    return outcome.failure === 'aborted' || outcome.failure === 'timeout' ? outcome.failure : 'unavailable';
  }
  const { status } = outcome.answer;
  if (status >= 500) return 'server-error';
  return status >= 400 ? 'client-error' : 'ok';
}
