/** The cases of a table as tests: played in both orders of arrival, each held to what it says, and both regions to each other. */
import { beforeAll, describe, expect, it } from 'vitest';
import { SIDES } from '../../cdc/twin.ts';
import type { Twin } from '../../cdc/twin.ts';
import { conflictsOf, play } from './played.ts';
import type { Play, Seen } from './played.ts';

/** `twin` is asked once tests run; `more` adds tests of the same play. */
export function describePlays(twin: () => Twin, { table, show, cases }: Pick<Play, 'table' | 'show' | 'cases'>, more?: () => void): void {
  describe.each([['east', 10_000], ['west', 20_000]] as const)('the %s hears first', (first, base) => {
    let seen: Map<string, Seen>;
    beforeAll(async () => {
      seen = await play(twin(), { table, show, cases, first, base });
    });

    it.each(cases.map((each) => [each.name, each] as const))('%s', (name, { rows, conflicts, and }) => {
      const found = seen.get(name) as Seen;
      for (const side of SIDES) expect(found.rows[side], side).toEqual(rows);
      expect(found.versions.east).toEqual(found.versions.west);
      if (conflicts !== undefined) expect(conflictsOf(found)).toEqual(conflicts.toSorted());
      and?.(found, String);
    });

    it('both regions are the same to the last column', async () => {
      expect(await twin().west.everything()).toEqual(await twin().east.everything());
    });

    more?.();
  });
}
