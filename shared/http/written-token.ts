/**
 * Tandem-Token on the answer of a write: a version that everything the request wrote is below.
 *
 * Invariant: the clock is read when the answer leaves, thus after the commit. A transaction that was stamped earlier may
 * commit later, so an hlc from inside of it could be covered by a heartbeat that went to the peer before the rows did.
 * Reads carry none here: theirs is the version of the rows they saw, which only their route knows.
 *
 * HAZARD: rows are stamped with the database's clock too. Where that is ahead of ours, the token names a time before
 * the commit, by as much.
 */
import type { HttpApp } from './http-server.ts';
import { TANDEM_TOKEN } from './tandem-token.ts';

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export function tellWrittenVersion(app: HttpApp, clock: { now(): bigint }): void {
  app.addHook('onSend', async (request, reply) => {
    if (SAFE_METHODS.has(request.method) || reply.statusCode >= 400) return;
    reply.header(TANDEM_TOKEN, String(clock.now()));
  });
}
