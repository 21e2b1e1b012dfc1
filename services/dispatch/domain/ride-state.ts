/**
 * The states of a ride and the moves between them.
 *
 * Invariant: a ride only moves forward (rank grows), so two copies of one ride can always be told apart by which is
 * further; a terminal state is never left. Who may ask for a move, and what else it changes, stands in flows/.
 */
import { assert } from '../../../shared/kernel/assert.ts';

export const RIDE_STATUSES = ['requested', 'assigned', 'arrived', 'onboard', 'completed', 'cancelled', 'rejected'] as const;
export type RideStatus = (typeof RIDE_STATUSES)[number];

const MOVES: Readonly<Record<RideStatus, readonly RideStatus[]>> = {
  requested: ['assigned', 'cancelled', 'rejected'],
  assigned: ['arrived', 'cancelled'],
  arrived: ['onboard', 'cancelled'],
  onboard: ['completed'],
  completed: [],
  cancelled: [],
  rejected: [],
};

const RANKS: Readonly<Record<RideStatus, number>> = {
  requested: 0, assigned: 1, arrived: 2, onboard: 3, completed: 4, cancelled: 4, rejected: 4,
};

/** A move that is already made is its own answer, so that a double tap is no error. */
export type MoveDecision = 'move' | 'already' | 'refuse';

export function decideMove(current: RideStatus, next: RideStatus): MoveDecision {
  if (current === next) return 'already';
  return MOVES[current].includes(next) ? 'move' : 'refuse';
}

export function isTerminal(status: RideStatus): boolean {
  return MOVES[status].length === 0;
}

/** While a driver is bound to the ride, whose position the rider may follow. */
export function isUnderWay(status: RideStatus): boolean {
  return status === 'assigned' || status === 'arrived' || status === 'onboard';
}

export function rankOf(status: RideStatus): number {
  return RANKS[status];
}

/** From a database column; anything else there is a fault of ours. */
export function parseRideStatus(text: string): RideStatus {
  const status = RIDE_STATUSES.find((known) => known === text);
  assert(status !== undefined, `unknown ride status "${text}"`);
  return status;
}
