/**
 * Brings one request to an answer: asks the sides of its plan in order, and at each side repeats a failed call at most once
 * on another instance.
 *
 * Invariant: a request reaches each region at most once, plus one repetition where that cannot do harm; a 421 is an
 * instruction to ask the next side and never the client's answer. The whole has one deadline.
 * It neither reads the client's body nor writes the client's answer.
 */
import type { Side } from '../domain/placement.ts';
import type { Route } from '../domain/route-table.ts';
import { CallFailure } from './call-failure.ts';
import type { FailureKind } from './call-failure.ts';
import type { HeaderMap } from './headers.ts';
import type { Upstream, UpstreamAnswer } from './upstream.ts';
import { PEER } from './upstreams.ts';
import type { Upstreams } from './upstreams.ts';

export const TOTAL_DEADLINE_MS = 15_000;
/** A safe call that takes this long is tried elsewhere while the client still waits. */
export const SAFE_ATTEMPT_MS = 5_000;
const NOT_HOME_STATUS = 421;

export interface ExchangeRequest {
  readonly route: Route;
  readonly sides: readonly Side[];
  readonly method: string;
  readonly path: string;
  /** As they should reach that side. */
  readonly headersFor: (side: Side) => HeaderMap;
  readonly body: Buffer | null;
  readonly hasKey: boolean;
  readonly signal: AbortSignal;
}

export type ExchangeOutcome =
  | { readonly kind: 'answer'; readonly side: Side; readonly answer: UpstreamAnswer }
  /** Nobody who could be asked takes it for its own. `home` is the one named last. */
  | { readonly kind: 'not-home'; readonly home: string | undefined }
  | { readonly kind: 'failed'; readonly failure: FailureKind; readonly target: string };

/** What may be sent again after a failure. A timeout may have changed something, so only a safe request repeats after it. */
export function mayRepeat(failure: FailureKind, request: { readonly route: Pick<Route, 'safe'>; readonly hasKey: boolean }): boolean {
  switch (failure) {
    case 'unsent':
    case 'full': return true;
    case 'broken': return request.route.safe || request.hasKey;
    case 'timeout': return request.route.safe;
    case 'aborted': return false;
  }
}

export class Exchange {
  readonly #upstreams: Upstreams;
  readonly #nowMs: () => number;

  constructor(deps: { upstreams: Upstreams; nowMs: () => number }) {
    this.#upstreams = deps.upstreams;
    this.#nowMs = deps.nowMs;
  }

  async run(request: ExchangeRequest): Promise<ExchangeOutcome> {
    const untilMs = this.#nowMs() + TOTAL_DEADLINE_MS;
    let failed: CallFailure | undefined;
    let home: string | undefined;
    for (const side of request.sides) {
      try {
        const answer = await this.#askSide(request, side, untilMs);
        if (answer.status !== NOT_HOME_STATUS) return { kind: 'answer', side, answer };
        home = headerText(answer.headers['tandem-home']) ?? home;
        discard(answer);
      } catch (e) {
        if (!(e instanceof CallFailure)) throw e;
        failed = e;
        if (!mayRepeat(e.kind, request)) break;
      }
    }
    // Somebody could not be asked: that is the news, not that the others are not the home.
    if (failed !== undefined) return { kind: 'failed', failure: failed.kind, target: failed.target };
    return { kind: 'not-home', home };
  }

  async #askSide(request: ExchangeRequest, side: Side, untilMs: number): Promise<UpstreamAnswer> {
    const service = side === 'peer' ? PEER : request.route.service;
    const panic = request.route.money ? 'fail-closed' : 'try-anyway';
    const first = this.#upstreams.pick(service, { panic });
    if (first === undefined) throw new CallFailure('unsent', service);
    try {
      return await this.#ask(request, side, first, untilMs);
    } catch (e) {
      if (!(e instanceof CallFailure) || !mayRepeat(e.kind, request)) throw e;
      const second = this.#upstreams.pick(service, { except: first, panic });
      if (second === undefined) throw e;
      return this.#ask(request, side, second, untilMs);
    }
  }

  #ask(request: ExchangeRequest, side: Side, upstream: Upstream, untilMs: number): Promise<UpstreamAnswer> {
    const leftMs = Math.max(0, untilMs - this.#nowMs());
    return upstream.call({
      method: request.method,
      path: request.path,
      headers: request.headersFor(side),
      body: request.body,
      kind: request.route.stream === 'none' ? 'call' : 'stream',
      deadlineMs: request.route.safe ? Math.min(leftMs, SAFE_ATTEMPT_MS) : leftMs,
      signal: request.signal,
    });
  }
}

function discard(answer: UpstreamAnswer): void {
  answer.body.on('error', () => {});
  answer.body.resume();
}

export function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
