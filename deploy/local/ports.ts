/**
 * Which port each process of the local stack listens on. Pure.
 *
 * Invariant: every port is in range and given once. TANDEM_PORT_BASE moves them all, TANDEM_PORT_<REGION>_<NAME> moves one,
 * for example TANDEM_PORT_EAST_ROUTER or TANDEM_PORT_WITNESS_ETCD_PEER. Whether a port is free is taken-ports.ts's question.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Env } from './programs/locate.ts';

const BASE_DEFAULT = 17_000;
const PORT_MIN = 1_024;
const PORT_MAX = 65_535;
const REGION_STRIDE = 100;

export const WITNESS = 'witness';

/** Offsets from the region's hundred; the gaps leave room for another instance. */
const REGION_OFFSETS = {
  'router': 0, 'ops': 1, 'mysql': 2, 'redis': 3, 'kafka': 4, 'kafka-controller': 5,
  'pricing': 10, 'pricing-grpc': 11, 'location': 12, 'location-grpc': 13, 'payment': 14,
  'dispatch-1': 20, 'dispatch-1-grpc': 21, 'dispatch-2': 22, 'dispatch-2-grpc': 23,
  'capture': 30, 'apply': 31,
} as const;

export type RegionPort = keyof typeof REGION_OFFSETS;
export type EtcdPorts = { readonly etcd: number; readonly 'etcd-peer': number };
export type RegionPorts = Readonly<Record<RegionPort, number>> & EtcdPorts;

export interface Ports {
  readonly regions: Readonly<Record<string, RegionPorts>>;
  readonly witness: EtcdPorts;
}

/** Throws config-invalid, which lists every bad variable at once. */
export function assignPorts(regions: readonly string[], env: Env): Ports {
  const problems: string[] = [];
  const base = portOf(env, 'TANDEM_PORT_BASE', BASE_DEFAULT, problems);
  const pick = (site: string, name: string, fallback: number): number => portOf(env, variableOf(site, name), fallback, problems);
  const etcd = (site: string, index: number): EtcdPorts => ({
    'etcd': pick(site, 'etcd', base + 1 + 2 * index),
    'etcd-peer': pick(site, 'etcd-peer', base + 2 + 2 * index),
  });
  const ofRegion = (region: string, index: number): RegionPorts => {
    const hundred = base + REGION_STRIDE * (index + 1);
    const named = Object.entries(REGION_OFFSETS).map(([name, offset]) => [name, pick(region, name, hundred + offset)] as const);
    return { ...(Object.fromEntries(named) as Record<RegionPort, number>), ...etcd(region, index) };
  };
  const ports: Ports = {
    regions: Object.fromEntries(regions.map((region, index) => [region, ofRegion(region, index)])),
    witness: etcd(WITNESS, regions.length),
  };
  problems.push(...duplicates(ports));
  if (problems.length > 0) throw new TandemError('config-invalid', problems.join('\n'), { details: { problems } });
  return ports;
}

/** Every port with the name an operator knows it by ("east mysql"). */
export function allPorts(ports: Ports): { readonly name: string; readonly variable: string; readonly port: number }[] {
  const sites = Object.entries({ ...ports.regions, [WITNESS]: ports.witness });
  return sites.flatMap(([site, named]) => Object.entries(named).map(([name, port]) => ({
    name: `${site} ${name}`, variable: variableOf(site, name), port: port as number,
  })));
}

function variableOf(site: string, name: string): string {
  return `TANDEM_PORT_${site}_${name}`.toUpperCase().replaceAll('-', '_');
}

function portOf(env: Env, variable: string, fallback: number, problems: string[]): number {
  const text = env[variable];
  if (text === undefined || text === '') return fallback;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port >= PORT_MIN && port <= PORT_MAX) return port;
  problems.push(`${variable}: "${text}" is not a port from ${PORT_MIN} to ${PORT_MAX}`);
  return fallback;
}

function duplicates(ports: Ports): string[] {
  const holder = new Map<number, string>();
  const problems: string[] = [];
  for (const { name, variable, port } of allPorts(ports)) {
    const other = holder.get(port);
    if (other !== undefined) problems.push(`${variable}: port ${port} of ${name} is also that of ${other}`);
    if (port > PORT_MAX) problems.push(`TANDEM_PORT_BASE: ${name} would get port ${port}, above ${PORT_MAX}`);
    holder.set(port, name);
  }
  return problems;
}
