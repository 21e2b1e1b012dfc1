/**
 * The summary that `up` ends with: as JSON by contract, and as a few lines for people.
 */
import type { Verdict } from '../../chaos/judge.ts';
import type { ReplayReport } from '../../chaos/workloads/replay.ts';
import { regionOfId } from './region-of-id.ts';
import type { Plan } from './plan.ts';
import { openDatabases } from './run-replay.ts';
import { portsOf } from './stack-input.ts';
import { readCounter, readLagSamples } from './read-metric.ts';
import type { Topology } from '../../shared/config/topology.ts';

export interface Summary {
  readonly trips: {
    readonly source: string;
    readonly requested: number;
    readonly completed: number;
    /** Refused with a reason, or cancelled. */
    readonly rejected: number;
    /** Rides by the region that booked them. */
    readonly byRegion: Readonly<Record<string, number>>;
  };
  readonly replication: { readonly rowsApplied: number; readonly lagMsP50: number | null; readonly lagMsP99: number | null; readonly conflicts: number };
  readonly diff: { readonly rowsCompared: number; readonly rowsDifferent: number };
  readonly ids: { readonly issued: number; readonly duplicates: number };
  readonly wallSeconds: number;
}

/** What has to be read before a replay, so that the summary tells of this replay alone. */
export interface Baseline {
  readonly atMs: number;
  /** By region. */
  readonly rowsApplied: ReadonlyMap<string, number>;
  readonly conflicts: ReadonlySet<string>;
}

export async function readBaseline(plan: Plan, topology: Topology): Promise<Baseline> {
  return { atMs: Date.now(), rowsApplied: await rowsApplied(plan, topology), conflicts: await conflictIds(topology) };
}

export async function summarise(parts: {
  plan: Plan; topology: Topology; baseline: Baseline; source: string; report: ReplayReport; verdict: Verdict; wallMs: number;
}): Promise<Summary> {
  const { plan, topology, baseline, source, report, verdict, wallMs } = parts;
  const regions = Object.keys(topology.regions);
  const lags = (await Promise.all(regions.map((region) => readLagSamples(portsOf(plan, region).apply, baseline.atMs)))).flat().toSorted((a, b) => a - b);
  const conflicts = await conflictIds(topology);
  const count = (...ends: string[]): number => report.rides.filter(({ end }) => ends.includes(end)).length;
  const bookedIn = (region: string): number => report.rides.filter(({ rideId }) => rideId !== undefined && regionOfId(topology, BigInt(rideId)) === region).length;
  return {
    trips: {
      source,
      requested: report.rides.length,
      completed: count('completed'),
      rejected: count('rejected', 'cancelled'),
      byRegion: Object.fromEntries(regions.map((region) => [region, bookedIn(region)])),
    },
    replication: {
      rowsApplied: rowsSince(baseline.rowsApplied, await rowsApplied(plan, topology)),
      lagMsP50: percentile(lags, 0.5),
      lagMsP99: percentile(lags, 0.99),
      conflicts: [...conflicts].filter((id) => !baseline.conflicts.has(id)).length,
    },
    diff: { rowsCompared: verdict.rowsCompared, rowsDifferent: verdict.rowsDifferent },
    ids: verdict.ids,
    wallSeconds: Math.round(wallMs / 100) / 10,
  };
}

export function renderSummary({ trips, replication, diff, ids, wallSeconds }: Summary): string {
  const share = Object.entries(trips.byRegion).map(([region, rides]) => `${region} ${rides}`).join(', ');
  const lag = replication.lagMsP50 === null ? 'no heartbeat seen' : `lag p50 ${replication.lagMsP50} ms, p99 ${replication.lagMsP99} ms`;
  return [
    '',
    `trips        ${trips.completed} completed, ${trips.rejected} rejected of ${trips.requested} (${share})`,
    `             from ${trips.source}`,
    `replication  ${replication.rowsApplied} rows applied, ${lag}, ${replication.conflicts} conflicts`,
    `both sides   ${diff.rowsCompared} rows compared, ${diff.rowsDifferent} different`,
    `ids          ${ids.issued} issued, ${ids.duplicates} twice`,
    `time         ${wallSeconds} s`,
    '',
  ].join('\n');
}

/** Nearest rank; null of nothing. */
function percentile(sorted: readonly number[], share: number): number | null {
  const value = sorted[Math.ceil(sorted.length * share) - 1];
  return value === undefined ? null : Math.round(value * 10) / 10;
}

async function rowsApplied(plan: Plan, topology: Topology): Promise<Map<string, number>> {
  const counts = Object.keys(topology.regions).map(async (region) => [region, (await readCounter(portsOf(plan, region).apply, 'tandem_apply_rows_total')) ?? 0] as const);
  return new Map(await Promise.all(counts));
}

/** Of an apply that was restarted meanwhile, and so counts from zero again, what it has applied since then. */
export function rowsSince(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  return [...after].reduce((sum, [region, count]) => {
    const base = before.get(region) ?? 0;
    return sum + (count < base ? count : count - base);
  }, 0);
}

/** One conflict leaves the same id in both regions, so it is counted once. */
async function conflictIds(topology: Topology): Promise<Set<string>> {
  const databases = openDatabases(topology);
  try {
    const rows = await Promise.all([...databases.values()].map((database) => database.query<{ id: bigint }>('SELECT id FROM _conflicts')));
    return new Set(rows.flat().map(({ id }) => String(id)));
  } finally {
    await Promise.all([...databases.values()].map((database) => database.close()));
  }
}
