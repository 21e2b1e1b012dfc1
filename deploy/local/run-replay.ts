/**
 * Drives a replay of trips through a running deployment, and sums up what came of it.
 *
 * Invariant: every figure of the summary is read from where it happened: trips from what the APIs answered, lag from heartbeats
 * applied, ids and differences from the databases themselves. It knows the deployment through its topology alone.
 */
import { judge } from '../../chaos/judge.ts';
import type { Verdict } from '../../chaos/judge.ts';
import type { ReplayProgress } from '../../chaos/workloads/journal.ts';
import { replay } from '../../chaos/workloads/replay.ts';
import type { ReplayReport } from '../../chaos/workloads/replay.ts';
import type { Trip } from '../../chaos/workloads/rider.ts';
import { runDiff } from '../../cdc/reconcile/run-diff.ts';
import type { DiffSide } from '../../cdc/reconcile/run-diff.ts';
import { parsePolicy } from '../../services/dispatch/policy.ts';
import type { DispatchPolicy } from '../../services/dispatch/policy.ts';
import type { Topology } from '../../shared/config/topology.ts';
import { openEtcd } from '../../shared/etcd/etcd.ts';
import { POLICY_PREFIX } from '../../shared/etcd/policy.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { openDatabase } from '../../shared/mysql/database.ts';
import type { Database } from '../../shared/mysql/database.ts';
import type { Place } from '../../shared/unit/place.ts';

/** A fleet as large as the smaller one of the Manhattan baselines; fewer cars than FLEET_MIN leave parts of town without one. */
export const FLEET_MAX = 200;
const FLEET_MIN = 100;
/** Who asks for a ride by hand, after a replay, gets the promises of a real day. */
const REAL_SPEED = 1;
const POLICY_KEY = `${POLICY_PREFIX}dispatch`;

export type MintToken = (role: 'rider' | 'driver', accountId: string) => Promise<string>;

export interface ReplayRequest {
  readonly topology: Topology;
  readonly mintToken: MintToken;
  readonly trips: readonly Trip[];
  readonly starts: readonly Place[];
  /** Seconds of the trips' day in one second of ours. */
  readonly speed: number;
  readonly onProgress?: (progress: ReplayProgress) => void;
  readonly signal?: AbortSignal;
}

/** Tells dispatch the speed of the world, replays, and lets the world go at its own speed again. */
export async function runReplay(request: ReplayRequest): Promise<ReplayReport> {
  const { topology, mintToken, trips, starts, speed, onProgress, signal } = request;
  const world = await setWorldSpeed(topology, speed);
  const endpoints = Object.entries(topology.regions).map(([region, { endpoints: { router } }]) => ({ region, routerUrl: router }));
  const fleet = starts.slice(0, Math.min(FLEET_MAX, Math.max(FLEET_MIN, trips.length)));
  try {
    return await replay({ endpoints, trips, fleet, speed, world, mintToken, ...(onProgress ? { onProgress } : {}), ...(signal ? { signal } : {}) });
  } finally {
    await setWorldSpeed(topology, REAL_SPEED);
  }
}

/** Waits until both regions have caught up, compares them row by row, and checks every promise. */
export async function judgeReplay(topology: Topology, report: ReplayReport): Promise<Verdict> {
  const databases = openDatabases(topology);
  try {
    return await judge({ databases, rides: report.rides, compare: () => compareRegions(topology) });
  } finally {
    await Promise.all([...databases.values()].map((database) => database.close()));
  }
}

export function openDatabases(topology: Topology): Map<string, Database> {
  return new Map(Object.entries(topology.regions).map(([region, { endpoints }]) => [region, openDatabase({ ...endpoints.mysql, poolSize: 2 }, { log: QUIET })]));
}

export function compareRegions(topology: Topology): ReturnType<typeof runDiff> {
  const [left, right] = Object.entries(topology.regions)
    .toSorted(([, a], [, b]) => a.origin - b.origin)
    .map(([name, { endpoints }]) => ({ name, mysql: endpoints.mysql }));
  return runDiff({ left: left as DiffSide, right: right as DiffSide, log: QUIET });
}

/** The other fields of the policy stay as an operator set them. */
async function setWorldSpeed(topology: Topology, speed: number): Promise<DispatchPolicy> {
  const etcd = openEtcd({ endpoints: topology.etcd, log: QUIET });
  try {
    const stored = await etcd.get(POLICY_KEY);
    const given = { ...(stored === null ? {} : (JSON.parse(stored.value) as object)), speedFactor: speed };
    const policy = parsePolicy(given);
    await etcd.put(POLICY_KEY, JSON.stringify(given));
    return policy;
  } finally {
    await etcd.close();
  }
}

const QUIET: LogSink = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
