/**
 * What one HTTP server knows of itself: whether it drains, which streams are open, how tokens are checked.
 *
 * Invariant: a stream is listed from its opening to its end, so that drain() reaches each.
 */
import type { Caller } from './auth.ts';
import { KnownRoutes } from './known-routes.ts';

/** An answer without an end of its own: server-sent events or a WebSocket. */
export interface OpenStream {
  readonly kind: 'events' | 'socket';
  /** Tells the client to come back elsewhere, and ends. */
  leave(): void;
}

/** Takes the value of an Authorization header. Throws unauthenticated. */
export type VerifyToken = (authorization: string | undefined) => Promise<Caller>;

export class AppState {
  readonly routes = new KnownRoutes();
  readonly streams = new Set<OpenStream>();
  readonly verifyToken: VerifyToken | undefined;
  #requestsInFlight = 0;
  #whenIdle = Promise.withResolvers<void>();
  #isDraining = false;

  constructor(options: { readonly verifyToken?: VerifyToken | undefined }) {
    this.verifyToken = options.verifyToken;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  get requestsInFlight(): number {
    return this.#requestsInFlight;
  }

  requestBegan(): void {
    this.#requestsInFlight += 1;
  }

  requestEnded(): void {
    this.#requestsInFlight -= 1;
    if (this.#requestsInFlight > 0) return;
    this.#whenIdle.resolve();
    this.#whenIdle = Promise.withResolvers();
  }

  /** Resolves when no request is being answered. */
  idle(): Promise<void> {
    return this.#requestsInFlight === 0 ? Promise.resolve() : this.#whenIdle.promise;
  }

  drain(): void {
    this.#isDraining = true;
    for (const stream of this.streams) stream.leave();
  }
}
