/**
 * The facts from which a local deployment is built: regions, ports and programs. Written by `up` as run/plan.json, read by the
 * supervisor, which runs on after `up` has ended.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Regions } from '../../shared/kernel/region.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { allPorts } from './ports.ts';
import type { Ports } from './ports.ts';
import type { Programs } from './programs/locate.ts';
import { writeAtomic } from './servers/files.ts';
import type { StateDir } from './state-dir.ts';

export const REGIONS_DEFAULT = 'east=1,west=2';

export interface Plan {
  /** As TANDEM_REGIONS has it; the local stack runs exactly two. */
  readonly regions: string;
  readonly ports: Ports;
  readonly programs: Programs;
}

export function parseLocalRegions(text: string = REGIONS_DEFAULT): Regions {
  const regions = Regions.parse(text);
  if (regions.names.length === 2) return regions;
  throw new TandemError('config-invalid', `TANDEM_REGIONS names ${regions.names.length} regions; the local stack runs two`);
}

/**
 * HAZARD: etcd remembers its members' addresses from its first start. With other ports its old data would look for peers
 * that are not there, and never find a majority; so such a plan is refused. Throws config-invalid.
 */
export function refuseMovedEtcd(next: Pick<Plan, 'ports'>, last: Plan | null): void {
  if (last === null) return;
  const before = new Map(etcdPorts(last).map(({ variable, port }) => [variable, port]));
  const moved = etcdPorts(next).filter(({ variable, port }) => before.has(variable) && before.get(variable) !== port);
  if (moved.length === 0) return;
  const list = moved.map(({ variable, port }) => `${variable} was ${before.get(variable)}, is now ${port}`);
  throw new TandemError('config-invalid',
    `etcd's ports are fixed at its first start, and these have changed:\n${list.join('\n')}\nSet them back, or use another TANDEM_STATE for another deployment.`);
}

/** MariaDB and MySQL cannot read each other's files: the data that is there decides. Throws config-invalid. */
export function refuseOtherEngine(next: Plan, last: Plan | null): void {
  const { engine, mysqld } = next.programs.mysql;
  if (last === null || last.programs.mysql.engine === engine) return;
  throw new TandemError('config-invalid',
    `the data here was written by ${last.programs.mysql.engine} (${last.programs.mysql.mysqld}), and ${mysqld} is ${engine}: neither reads the other's files.\n`
    + 'Set TANDEM_MYSQLD to a server of the same kind, or use another TANDEM_STATE for another deployment.');
}

function etcdPorts(plan: Pick<Plan, 'ports'>): ReturnType<typeof allPorts> {
  return allPorts(plan.ports).filter(({ name }) => name.includes(' etcd'));
}

export async function writePlan(dirs: StateDir, plan: Plan): Promise<void> {
  await writeAtomic(planFile(dirs), `${JSON.stringify(plan, null, 2)}\n`);
}

/** Null when nothing was ever started here. */
export async function readPlan(dirs: StateDir): Promise<Plan | null> {
  try {
    return JSON.parse(await readFile(planFile(dirs), 'utf8')) as Plan;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw cause;
  }
}

function planFile(dirs: StateDir): string {
  return path.join(dirs.state, 'plan.json');
}
