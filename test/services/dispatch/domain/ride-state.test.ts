/** Claims of the ride's state machine: forward only, terminal is terminal, twice is no error. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideMove, isTerminal, isUnderWay, parseRideStatus, rankOf, RIDE_STATUSES } from '../../../../services/dispatch/domain/ride-state.ts';

const status = fc.constantFrom(...RIDE_STATUSES);

describe('the states of a ride', () => {
  test('every allowed move goes forward, so that two copies can be told apart by rank', () => {
    fc.assert(fc.property(status, status, (current, next) => {
      if (decideMove(current, next) === 'move') expect(rankOf(next)).toBeGreaterThan(rankOf(current));
    }));
  });

  test('a terminal state is never left', () => {
    fc.assert(fc.property(status, status, (current, next) => {
      if (isTerminal(current)) expect(decideMove(current, next)).toBe(current === next ? 'already' : 'refuse');
    }));
  });

  test.each([
    ['requested', 'assigned'], ['assigned', 'arrived'], ['arrived', 'onboard'], ['onboard', 'completed'],
    ['requested', 'rejected'], ['requested', 'cancelled'], ['assigned', 'cancelled'], ['arrived', 'cancelled'],
  ] as const)('%s may become %s', (current, next) => {
    expect(decideMove(current, next)).toBe('move');
  });

  test.each([
    ['onboard', 'cancelled'], ['assigned', 'onboard'], ['requested', 'completed'], ['assigned', 'rejected'],
  ] as const)('%s never becomes %s', (current, next) => {
    expect(decideMove(current, next)).toBe('refuse');
  });

  test('a rider may follow the car exactly while a driver is bound to the ride', () => {
    expect(RIDE_STATUSES.filter(isUnderWay)).toEqual(['assigned', 'arrived', 'onboard']);
  });

  test('an unknown status in the database is a fault, not a status', () => {
    expect(() => parseRideStatus('lost')).toThrow('unknown ride status "lost"');
  });
});
