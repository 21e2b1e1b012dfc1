/**
 * Healthy or not, from probes: three failures in a row take an instance out, two successes in a row bring it back.
 *
 * Invariant: the state changes by what was observed only, never by time alone. A refused connection counts as a failed
 * probe; a good answer to traffic does not count as a good one, as a draining instance still answers.
 * Hazard: a probe that times out on a paused router looks like a dead instance; the recovery rule heals that in 2 s.
 */

export const PROBE_EVERY_MS = 1_000;
export const PROBE_TIMEOUT_MS = 300;
export const FAILURES_TO_UNHEALTHY = 3;
export const SUCCESSES_TO_HEALTHY = 2;

export interface Health {
  readonly state: 'healthy' | 'unhealthy';
  readonly failuresInRow: number;
  readonly successesInRow: number;
  /** It has answered a probe at least once. Until then it is trusted with traffic, but makes nobody ready. */
  readonly hasAnswered: boolean;
  /** Since when the state holds. */
  readonly sinceMs: number;
  /** When it last came back; null while it never was away, and then no slow start applies. */
  readonly recoveredAtMs: number | null;
}

/** New instances are trusted until probes say otherwise: a router that starts serves at once. */
export function initialHealth(nowMs: number): Health {
  return { state: 'healthy', failuresInRow: 0, successesInRow: 0, hasAnswered: false, sinceMs: nowMs, recoveredAtMs: null };
}

export function observeProbe(health: Health, outcome: 'ok' | 'failed', nowMs: number): Health {
  if (outcome === 'failed') {
    const failuresInRow = health.failuresInRow + 1;
    const falls = health.state === 'healthy' && failuresInRow >= FAILURES_TO_UNHEALTHY;
    return {
      ...health,
      failuresInRow,
      successesInRow: 0,
      ...(falls ? { state: 'unhealthy' as const, sinceMs: nowMs } : {}),
    };
  }
  const successesInRow = health.successesInRow + 1;
  const recovers = health.state === 'unhealthy' && successesInRow >= SUCCESSES_TO_HEALTHY;
  return {
    ...health,
    failuresInRow: 0,
    successesInRow,
    hasAnswered: true,
    ...(recovers ? { state: 'healthy' as const, sinceMs: nowMs, recoveredAtMs: nowMs } : {}),
  };
}
