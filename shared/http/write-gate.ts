/**
 * Lets something outside of the routes refuse writes: one hook before every handler of an unsafe method.
 *
 * Invariant: reads pass, whatever the gate says; a request that is wrong by itself (no such path, not allowed, not valid) is
 * told that first, as it would be wrong after any wait, too. What a process writes on its own is not asked here.
 *
 * HAZARD: it stands before the handler, which alone knows whether this region is the request's home. A router that cannot know the home
 * either, and would have learned it from the 421, gets the refusal instead, for as long as it lasts.
 */
import type { HttpApp } from './http-server.ts';

export interface WriteGate {
  /** Throws the TandemError that refuses this write. */
  admit(): void;
}

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export function guardWrites(app: HttpApp, gate: WriteGate): void {
  app.addHook('preHandler', async (request) => {
    if (!SAFE_METHODS.has(request.method) && !request.is404) gate.admit();
  });
}
