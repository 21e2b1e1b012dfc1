/**
 * Which regions a request is put to, and in which order.
 *
 * Invariant: each region stands in the plan at most once, and a request that a peer's router carried here is put to this
 * region only: a request crosses between regions once, so it cannot loop however wrong the maps of units are.
 * It asks nobody: the plan is a best guess, and a service that is not the home says so with 421.
 */
import type { Route } from './route-table.ts';

export type Side = 'local' | 'peer';

export interface Placement {
  readonly route: Pick<Route, 'money' | 'prefers'>;
  /** The side of the unit's home as far as known. */
  readonly home: Side | undefined;
  /** The peer's router sent this. */
  readonly isForwarded: boolean;
}

/** The sides to ask, in order; a later one is asked only when an earlier one is not the home or cannot be reached. */
export function planSides({ route, home, isForwarded }: Placement): readonly Side[] {
  // Money is never carried: a client that pays must know which region it pays in (409 cross-region-write).
  if (isForwarded || route.money) return ['local'];
  if (route.prefers === 'home' && home === 'peer') return ['peer', 'local'];
  return ['local', 'peer'];
}
