/**
 * Two simulated regions, a lossy network, clocks that step: after everything has arrived, both hold the same rows and nothing is
 * lost without a record. TANDEM_TEST_SEED plays another range; `./tandem bench sim --seeds N` any number.
 */
import { describe, expect, test } from 'vitest';
import { play, stepsOf } from './history.ts';
import { minimise } from './minimise.ts';
import { describeFailure, playSeeds } from './run.ts';

const FIRST = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const COUNT = 200;

describe('the simulation', () => {
  test(`seeds ${FIRST} to ${FIRST + COUNT - 1} converge and lose nothing`, () => {
    const { failure, writes, conflicts } = playSeeds({ first: FIRST, count: COUNT });
    expect(failure === null ? '' : describeFailure(failure)).toBe('');
    // Histories in which nothing meets would prove nothing.
    expect(writes).toBeGreaterThan(COUNT * 10);
    expect(conflicts).toBeGreaterThan(COUNT * 5);
  }, 120_000);

  test('one seed is one history', () => {
    expect(stepsOf(7)).toEqual(stepsOf(7));
    expect(stepsOf(7)).not.toEqual(stepsOf(8));
    expect(play(stepsOf(7))).toEqual(play(stepsOf(7)));
  });

  test('a failing history is cut to what it takes', () => {
    const steps = stepsOf(3);
    const isCut = (candidate: typeof steps): boolean => candidate.some(({ act }) => act === 'write') && candidate.some(({ act }) => act === 'apply');
    const shortest = minimise(steps, isCut);
    expect(shortest.map(({ act }) => act).toSorted()).toEqual(['apply', 'write']);
  });
});
