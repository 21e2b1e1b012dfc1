/**
 * Holds what the databases took against what stands in the end: pure.
 *
 * A write that was acknowledged and does not stand must have an excuse: somebody wrote over it after having seen it, or a
 * conflict names it as the loser. Each write carries a token of its own, and says over which token it was written.
 * HAZARD a commit whose answer was lost may or may not have happened: such a write may stand, and need not.
 */

/** `row` is table:id. */
export interface Write {
  readonly row: string;
  /** What the row carries from now on; null: it was deleted. */
  readonly token: number | null;
  /** What the writer saw there, under lock; null: no row. */
  readonly over: number | null;
  readonly isAcknowledged: boolean;
}

/** Rows that are inserted once and never touched again, in one transaction. */
export interface Entry { readonly ids: readonly number[]; readonly isAcknowledged: boolean }

/** Something added to a counter of a row. */
export interface Increment { readonly row: string; readonly by: number; readonly isAcknowledged: boolean }

export interface Told {
  readonly writes: readonly Write[];
  readonly entries: readonly Entry[];
  readonly increments: readonly Increment[];
}

export interface Found {
  /** Tokens by row. */
  readonly standing: ReadonlyMap<string, number>;
  /** Tokens in the images of recorded conflicts, of both regions. */
  readonly named: ReadonlySet<number>;
  readonly entryIds: ReadonlySet<number>;
  readonly counters: ReadonlyMap<string, number>;
}

export interface Faults {
  /** Acknowledged, gone, and nobody says why. */
  readonly lost: readonly string[];
  /** Stands, although an acknowledged write went over it. */
  readonly reverted: readonly string[];
  /** Stands, and nobody wrote it. */
  readonly foreign: readonly string[];
  /** Transactions of which a part is there. */
  readonly torn: readonly string[];
  /** Counters that are not the sum of what was added. */
  readonly miscounted: readonly string[];
}

export function faultsOf(told: Told, found: Found): Faults {
  return { ...faultsOfWrites(told.writes, found), ...faultsOfEntries(told.entries, found), ...faultsOfCounters(told.increments, found) };
}

export function countFaults(faults: Faults): number {
  return Object.values(faults).reduce((sum, list) => sum + list.length, 0);
}

function faultsOfWrites(writes: readonly Write[], { standing, named }: Found): Pick<Faults, 'lost' | 'reverted'> & { foreign: string[] } {
  const overwritten = new Set(writes.map(({ over }) => over));
  const written = new Set(writes.map(({ token }) => token));
  const lost = writes
    .filter(({ isAcknowledged, token }) => isAcknowledged && token !== null && !overwritten.has(token) && !named.has(token))
    .filter(({ row, token }) => standing.get(row) !== token)
    .map(({ row, token }) => `${row} token ${token}: there is ${standing.get(row) ?? 'no row'}`);
  const reverted = writes
    .filter(({ row, over, isAcknowledged }) => isAcknowledged && over !== null && standing.get(row) === over)
    .map(({ row, token, over }) => `${row} token ${over} stands, over which ${token ?? 'a delete'} was written`);
  const foreign = [...standing].filter(([, token]) => !written.has(token)).map(([row, token]) => `${row} token ${token}`);
  return { lost, reverted, foreign };
}

function faultsOfEntries(entries: readonly Entry[], { entryIds }: Found): Pick<Faults, 'torn'> {
  const torn = entries.flatMap(({ ids, isAcknowledged }) => {
    const there = ids.filter((id) => entryIds.has(id)).length;
    return there === ids.length || (there === 0 && !isAcknowledged) ? [] : [`${there} of the ${ids.length} rows from ${ids[0]}`];
  });
  const known = new Set(entries.flatMap(({ ids }) => ids));
  return { torn: [...torn, ...[...entryIds].filter((id) => !known.has(id)).map((id) => `entry ${id} was never written`)] };
}

function faultsOfCounters(increments: readonly Increment[], { counters }: Found): Pick<Faults, 'miscounted'> {
  const sums = new Map<string, { least: number; most: number }>();
  for (const { row, by, isAcknowledged } of increments) {
    const sum = sums.get(row) ?? { least: 0, most: 0 };
    sums.set(row, { least: sum.least + (isAcknowledged ? by : 0), most: sum.most + by });
  }
  return {
    miscounted: [...sums].flatMap(([row, { least, most }]) => {
      const count = counters.get(row) ?? 0;
      return count >= least && count <= most ? [] : [`${row} counts ${count}, not ${least === most ? least : `${least} to ${most}`}`];
    }),
  };
}
