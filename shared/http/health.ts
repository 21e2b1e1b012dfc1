/**
 * /health/live, /health/ready and /metrics: what routers, supervisors and dashboards ask a process.
 *
 * Invariant: /health/ready always answers within READY_DEADLINE_MS, below the 300 ms that a probe waits; concurrent
 * probes share one round of checks, so that probing never becomes load. Live says only that the event loop turns.
 */
import { withDeadline } from '../kernel/deadline.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AppState } from './app-state.ts';
import type { HttpApp } from './http-server.ts';

export const READY_DEADLINE_MS = 250;

/** Resolves when what it checks can be used; its error message becomes a reason. */
export type ReadyCheck = (signal: AbortSignal) => Promise<void>;

const HIDDEN = { schema: { hide: true }, config: { isQuiet: true } } as const;

export function addHealthRoutes(app: HttpApp, { state, metrics, checks }: { readonly state: AppState; readonly metrics: Metrics; readonly checks: Readonly<Record<string, ReadyCheck>> }): void {
  let round: Promise<string[]> | undefined;
  app.get('/health/live', HIDDEN, (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'live' }));
  app.get('/health/ready', HIDDEN, async (_request, reply) => {
    round ??= runChecks(checks).finally(() => (round = undefined));
    const reasons = await round;
    if (state.isDraining) reasons.unshift('draining');
    reply.header('cache-control', 'no-store').code(reasons.length === 0 ? 200 : 503);
    return reasons.length === 0 ? { status: 'ready' } : { status: 'not-ready', reasons };
  });
  app.get('/metrics', HIDDEN, async (_request, reply) => {
    reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8');
    return metrics.expose();
  });
}

async function runChecks(checks: Readonly<Record<string, ReadyCheck>>): Promise<string[]> {
  const outcomes = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      try {
        await withDeadline(`check of ${name}`, READY_DEADLINE_MS, async (signal) => check(signal));
        return undefined;
      } catch (error) {
        return `${name}: ${error instanceof Error ? error.message : String(error)}`;
      }
    }),
  );
  return outcomes.filter((reason) => reason !== undefined);
}
