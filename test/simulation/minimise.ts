/**
 * Makes a failing history as short as it can be found: leaves out steps, in ever smaller pieces, while it still fails.
 *
 * The result is minimal in that no single step can be left out; it may fail with another problem than the one it began with.
 */
import { play } from './history.ts';
import type { Step } from './history.ts';

/** Histories played on the way. */
const TRIES_MAX = 2_000;

export function minimise(steps: readonly Step[], fails: (steps: readonly Step[]) => boolean = (candidate) => play(candidate).problems.length > 0): readonly Step[] {
  let shortest = steps;
  let tries = 0;
  for (let size = Math.ceil(steps.length / 2); size >= 1; ) {
    let isShorter = false;
    for (let from = 0; from < shortest.length && tries < TRIES_MAX; ) {
      const candidate = shortest.toSpliced(from, size);
      tries += 1;
      if (fails(candidate)) {
        shortest = candidate;
        isShorter = true;
      } else from += size;
    }
    if (size === 1 && !isShorter) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
    if (tries >= TRIES_MAX) break;
  }
  return shortest;
}
