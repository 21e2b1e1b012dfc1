/**
 * The verdict after a workload: both regions caught up, both identical, no promise broken.
 *
 * It only reads. The comparison is given as a function, so that the caller chooses how it reports progress.
 */
import type { Database } from '../shared/mysql/database.ts';
import { caughtUp } from './catch-up.ts';
import { checkRegion, promisesKept } from './checkers/invariants.ts';
import type { Acknowledged } from './checkers/invariants.ts';
import type { Violation } from './checkers/snapshot.ts';
import { readSnapshot } from './read-snapshot.ts';
import type { JournalRide } from './workloads/journal.ts';

export type Verdict = {
  readonly catchUpMs: number;
  readonly rowsCompared: number;
  readonly rowsDifferent: number;
  readonly ids: { readonly issued: number; readonly duplicates: number };
  readonly promises: ReturnType<typeof promisesKept>;
  readonly violations: readonly Violation[];
};

/** How long after the last write both regions may take to hold the same. */
const CATCH_UP_DEADLINE_MS = 60_000;

export async function judge(options: {
  databases: ReadonlyMap<string, Database>;
  rides: readonly JournalRide[];
  compare: () => Promise<{ rowsCompared: number; rowsDifferent: number }>;
  signal?: AbortSignal;
}): Promise<Verdict> {
  const catchUpMs = await caughtUp(options.databases, { deadlineMs: CATCH_UP_DEADLINE_MS, signal: options.signal });
  const { rowsCompared, rowsDifferent } = await options.compare();
  const acknowledged = options.rides.flatMap(acknowledgement);
  const snapshots = await Promise.all([...options.databases].map(([region, database]) => readSnapshot(region, database)));
  const violations = snapshots.flatMap((snapshot) => checkRegion(snapshot, acknowledged));
  const first = snapshots[0]!;
  return {
    catchUpMs,
    rowsCompared,
    rowsDifferent,
    ids: { issued: first.ids.length, duplicates: violations.filter((violation) => violation.claim === 'an id is issued once').length },
    promises: promisesKept(first),
    violations,
  };
}

function acknowledgement({ rideId, end, chargedCents }: JournalRide): Acknowledged[] {
  return rideId === undefined ? [] : [{ rideId: BigInt(rideId), end, chargedCents }];
}
