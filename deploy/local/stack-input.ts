/**
 * What the stack is built from, and the questions its parts ask of it. Pure.
 */
import { WITNESS } from './ports.ts';
import type { EtcdPorts, RegionPorts } from './ports.ts';
import type { Plan } from './plan.ts';
import type { RegionSecrets, Secrets } from './secrets.ts';
import { LOOPBACK } from './servers/server-spec.ts';
import type { StateDir } from './state-dir.ts';

export const DATABASE = 'tandem';

export interface StackInput {
  readonly dirs: StateDir;
  readonly plan: Plan;
  readonly secrets: Secrets;
}

/** host:port of every member, the region's own first. */
export function etcdEndpoints(plan: Plan, nearest?: string): string[] {
  const sites = Object.entries({ ...plan.ports.regions, [WITNESS]: plan.ports.witness } as Record<string, EtcdPorts>);
  return sites.toSorted(([a], [b]) => Number(b === nearest) - Number(a === nearest)).map(([, ports]) => `${LOOPBACK}:${ports.etcd}`);
}

export function portsOf(plan: Plan, region: string): RegionPorts {
  const ports = plan.ports.regions[region];
  if (ports === undefined) throw new RangeError(`no ports are planned for region ${region}`);
  return ports;
}

export function secretsOf(secrets: Secrets, region: string): RegionSecrets {
  const ofRegion = secrets.regions[region];
  if (ofRegion === undefined) throw new RangeError(`no secrets were made for region ${region}`);
  return ofRegion;
}
