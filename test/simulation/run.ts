/** Plays seeds one after the other; stops at the first that fails and makes its history short. */
import { play, stepsOf } from './history.ts';
import type { Outcome, Step } from './history.ts';
import { minimise } from './minimise.ts';

export interface Tally { readonly seeds: number; readonly writes: number; readonly conflicts: number; readonly changes: number; readonly failure: Failure | null }
export interface Failure { readonly seed: number; readonly problems: readonly string[]; readonly history: readonly Step[] }

export function playSeeds(options: { readonly first: number; readonly count: number; readonly onPlayed?: (done: number) => void }): Tally {
  const { first, count, onPlayed } = options;
  const sum = { writes: 0, conflicts: 0, changes: 0 };
  for (let i = 0; i < count; i += 1) {
    const seed = first + i;
    const outcome = play(stepsOf(seed));
    sum.writes += outcome.writes;
    sum.conflicts += outcome.conflicts;
    sum.changes += outcome.changes;
    if (outcome.problems.length > 0) return { seeds: i + 1, ...sum, failure: failureOf(seed) };
    onPlayed?.(i + 1);
  }
  return { seeds: count, ...sum, failure: null };
}

function failureOf(seed: number): Failure {
  const history = minimise(stepsOf(seed));
  const { problems }: Outcome = play(history);
  return { seed, problems, history };
}

/** For people: what was done, step by step, and what came of it. */
export function describeFailure({ seed, problems, history }: Failure): string {
  const steps = history.map(({ act, region, afterMs, tables }, i) => `  ${i + 1}. ${afterMs > 0 ? `+${afterMs} ms ` : ''}${region === 0 ? 'east' : 'west'}: ${act} (${tables.join(', ')})`);
  return `seed ${seed} fails; its shortest history has ${history.length} steps:\n${steps.join('\n')}\n${problems.map((problem) => `- ${problem}`).join('\n')}\nRepeat it: ./tandem bench sim --seed ${seed}`;
}
