/**
 * What GET /api/sla answers: the shape that the page, the CLI and the peer's ops process read.
 *
 * Invariant: every figure carries its unit in its name and is null where it is not known; times are ms since 1970 by the
 * reporting region's clock. It holds no rule: see health-score.ts, alerts.ts and region-record.ts.
 */
import type { Alert } from './alerts.ts';
import type { HealthScore } from './health-score.ts';
import type { Bucket, Percentiles } from './series.ts';

/** One region, as its own ops process sees it. */
export interface RegionReport {
  readonly region: string;
  readonly atMs: number;
  /** From etcd: active, draining, fenced, …; null while etcd has not answered. */
  readonly state: string | null;
  readonly health: HealthScore;
  readonly lag: LagReport;
  readonly api: ApiReport;
  readonly replication: ReplicationReport;
  readonly config: { readonly hash: string | null; readonly peerHash: string | null; readonly isEqual: boolean | null };
  readonly targets: readonly TargetReport[];
  readonly alerts: readonly Alert[];
}

/** How far this region is behind its peer. */
export interface LagReport {
  readonly from: string;
  readonly to: string;
  /** What the score uses: p99 of the last minute, or the age of the peer's heartbeat where apply is silent. */
  readonly currentMs: number | null;
  readonly lastMs: number | null;
  /** When apply last measured; the figures are as old as this. */
  readonly lastAtMs: number | null;
  readonly oneMinute: Percentiles;
  readonly tenMinutes: Percentiles;
  /** Ten minutes, one bucket each SERIES_BUCKET_MS. */
  readonly series: readonly Bucket[];
  /** Read in this region's database, independent of apply's own word: the newest heartbeat of the peer. */
  readonly heartbeat: { readonly beat: string; readonly writtenAtMs: number; readonly ageMs: number } | null;
}

export interface ApiReport {
  readonly oneMinute: ApiCounts;
  readonly tenMinutes: ApiCounts;
  readonly series: readonly { readonly atMs: number; readonly requests: number; readonly failed: number }[];
}

export interface ApiCounts {
  readonly requests: number;
  readonly failed: number;
  /** 1 where there were no requests: nothing failed; null while the router cannot be read. */
  readonly successRate: number | null;
  /** Of the requests, those that the peer answered. */
  readonly carried: number;
}

export interface ReplicationReport {
  readonly offsetGap: number | null;
  readonly rowsApplied: number | null;
  readonly rowsCaptured: number | null;
  /** Over the last minute. */
  readonly rowsAppliedPerSecond: number | null;
  readonly rowsCapturedPerSecond: number | null;
  /** What capture holds that Kafka has not taken yet, and where it stops reading. */
  readonly queue: { readonly bytes: number; readonly limitBytes: number } | null;
  /** Rows of _conflicts in this region's database; null while it cannot be read. */
  readonly conflicts: { readonly total: number; readonly byKind: Readonly<Record<string, number>>; readonly readAtMs: number } | null;
  /** Changes of the peer that could not be written here, and those that wait behind them. */
  readonly deadLetters: { readonly poison: number; readonly held: number } | null;
  /** Units whose changes wait behind one that could not be written. */
  readonly parkedUnits: readonly number[] | null;
  /** `table.column` that changes of the peer carry and this database lacks. */
  readonly schemaWaits: readonly string[] | null;
  readonly snapshot: { readonly id: string; readonly state: string; readonly table: string | null; readonly rowsDone: number } | null;
  readonly guard: GuardReport | null;
}

/** The RPO guard, as the services that obey it tell. */
export interface GuardReport {
  readonly state: 'off' | 'clear' | 'warning' | 'throttling' | 'pausing';
  /** How many ms of writes here the peer has not told to have applied; null where it has told nothing. */
  readonly exposureMs: number | null;
}

export interface TargetReport {
  readonly name: string;
  readonly url: string;
  readonly isUp: boolean;
  /** Since when it is up or down; null before the first look. */
  readonly sinceMs: number | null;
  readonly lastSeenMs: number | null;
  /** Why it is down. */
  readonly error: string | null;
}

export interface SlaReport {
  readonly at: string;
  readonly region: string;
  readonly peer: string;
  /** The peer's is null until its ops process has answered once; then it is its last word, as old as its atMs. */
  readonly regions: Readonly<Record<string, RegionReport | null>>;
  readonly isPeerReachable: boolean;
  readonly units: {
    readonly homes: readonly UnitReport[];
    readonly byHome: Readonly<Record<string, number>>;
    /** When etcd last proved that this is so. */
    readonly readAtMs: number | null;
  };
  readonly leases: Readonly<Record<string, 'held' | 'missing' | 'unknown'>>;
}

export interface UnitReport {
  readonly unit: number;
  readonly home: string;
  readonly epoch: number;
}
