/**
 * A snapshot of this region's rows for the peer, as operators see it: a row of _snapshots.
 *
 * Invariant: tables are read in the order of the request, each by ascending id; what is at or before (table, afterId) is
 * in Kafka. One snapshot is at work at a time, the others wait in the order of their ids.
 */

/** requested → running → done | cancelled | failed. */
export type SnapshotState = 'requested' | 'running' | 'done' | 'cancelled' | 'failed';

export interface Snapshot {
  /** Decimal text. */
  readonly id: string;
  readonly state: SnapshotState;
  readonly tables: readonly string[];
  /** The table at work and the id up to which Kafka has it; null before the first chunk. */
  readonly table: string | null;
  readonly afterId: string | null;
  readonly rowsDone: number;
  readonly rowsPerSecond: number;
  readonly requestedBy: string;
  readonly reason: string;
  /** Why it failed; null unless it did. */
  readonly failure: string | null;
  readonly requestedAt: string;
  readonly updatedAt: string;
}

export interface SnapshotRequest {
  /** Replicated tables, in the schema's order whatever the order here; all of them when left out. */
  readonly tables?: readonly string[] | undefined;
  /** 1 to ROWS_PER_SECOND_MAX; ROWS_PER_SECOND when left out. */
  readonly rowsPerSecond?: number | undefined;
  readonly actor: string;
  readonly reason: string;
}

export const ROWS_PER_SECOND = 5_000;
export const ROWS_PER_SECOND_MAX = 1_000_000;
