/**
 * What the local deployment looks like now: asked of the supervisor, of etcd and of each region's apply.
 *
 * Invariant: nothing is guessed. What cannot be asked is null (or `down`), and a part that does not answer does not keep
 * the rest from being shown.
 */
import type { Topology } from '../../shared/config/topology.ts';
import { openEtcd } from '../../shared/etcd/etcd.ts';
import type { EtcdValue } from '../../shared/etcd/etcd.ts';
import { UNITS_PREFIX, parseUnitHome } from '../../shared/etcd/units.ts';
import type { UnitHome } from '../../shared/etcd/units.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { readMetric } from './read-metric.ts';
import { readPlan } from './plan.ts';
import type { Plan } from './plan.ts';
import { readSecrets } from './secrets.ts';
import { topologyOf } from './stack.ts';
import { portsOf } from './stack-input.ts';
import type { StateDir } from './state-dir.ts';
import { SupervisorClient } from './supervisor/client.ts';
import type { ProcessStatus } from './supervisor/managed-process.ts';

const ETCD_DEADLINE_MS = 3_000;
const REGIONS_PREFIX = '/tandem/regions/';

export interface RegionStatus {
  /** As /tandem/regions/<region> says; `serving` or `down` by its router where it says nothing. */
  readonly state: string;
  /** The highest epoch of the units that are at home here; null when etcd does not answer. */
  readonly epoch: number | null;
  /** How many units are at home here; null when etcd does not answer. */
  readonly units: number | null;
  /** Of the last heartbeat of the peer applied here. */
  readonly lagMs: number | null;
  readonly endpoints: Topology['regions'][string]['endpoints'];
}

export interface DeploymentStatus {
  readonly regions: Readonly<Record<string, RegionStatus>>;
  readonly witness: { readonly endpoint: string; readonly healthy: boolean } | null;
  readonly processes: readonly ProcessStatus[];
  /** Null when nothing runs. */
  readonly supervisor: { readonly pid: number; readonly residentKib: number } | null;
}

/** A deployment that was never started has no regions; one that is down has no pids. */
export async function readStatus(dirs: StateDir): Promise<DeploymentStatus> {
  const plan = await readPlan(dirs);
  if (plan === null) return { regions: {}, witness: null, processes: [], supervisor: null };
  const topology = topologyOf({ dirs, plan, secrets: await readSecrets(dirs.secretsFile) });
  const supervisor = await SupervisorClient.connect(dirs.socket('supervisor'));
  const view = supervisor === null ? null : await supervisor.view();
  const processes = view?.processes ?? [];
  const isUp = (name: string): boolean => processes.some((status) => status.name === name && status.healthy);
  const registry = supervisor === null ? null : await readRegistry(topology.etcd);
  const entries = Object.entries(topology.regions).map(async ([region, { endpoints }]) => {
    const homes = registry?.homes.filter(({ home }) => home === region) ?? null;
    const status: RegionStatus = {
      state: registry?.states.get(region) ?? (isUp(`router-${region}`) ? 'serving' : 'down'),
      epoch: homes === null ? null : Math.max(0, ...homes.map(({ epoch }) => epoch)),
      units: homes?.length ?? null,
      lagMs: isUp(`apply-${region}`) ? await readLag(plan, region) : null,
      endpoints,
    };
    return [region, status] as const;
  });
  return {
    regions: Object.fromEntries(await Promise.all(entries)),
    witness: { endpoint: topology.witness, healthy: isUp('etcd-witness') },
    // A task that is done is no process any more.
    processes: processes.filter(({ kind, state }) => kind !== 'task' || state !== 'ready'),
    supervisor: view === null ? null : { pid: view.pid, residentKib: view.residentKib },
  };
}

function readLag(plan: Plan, region: string): Promise<number | null> {
  return readMetric(portsOf(plan, region).apply, 'tandem_apply_lag_ms');
}

async function readRegistry(endpoints: readonly string[]): Promise<{ homes: UnitHome[]; states: Map<string, string> } | null> {
  const etcd = openEtcd({ endpoints, log: QUIET, deadlineMs: ETCD_DEADLINE_MS });
  try {
    const [units, regions] = await Promise.all([etcd.getPrefix(UNITS_PREFIX), etcd.getPrefix(REGIONS_PREFIX)]);
    return { homes: [...units].map(([key, { value }]) => parseUnitHome(key, value)), states: statesOf(regions) };
  } catch {
    return null; // shown as unknown; the etcd members stand in the table of processes
  } finally {
    await etcd.close();
  }
}

function statesOf(records: ReadonlyMap<string, EtcdValue>): Map<string, string> {
  return new Map([...records].flatMap(([key, { value }]) => {
    const { state } = JSON.parse(value) as { state?: unknown };
    return typeof state === 'string' ? [[key.slice(REGIONS_PREFIX.length), state] as const] : [];
  }));
}

const QUIET: LogSink = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
