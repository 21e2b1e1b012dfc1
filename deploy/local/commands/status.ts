/**
 * `tandem status`: regions, their units and lag, and every process, in 80 columns or as JSON.
 */
import type { Command } from 'commander';
import { paint } from '../console.ts';
import type { Paint } from '../console.ts';
import { readStatus } from '../read-status.ts';
import type { DeploymentStatus, RegionStatus } from '../read-status.ts';
import { stateDir } from '../state-dir.ts';
import type { ProcessState, ProcessStatus } from '../supervisor/managed-process.ts';
import { outcome, printJson } from './outcome.ts';

const COLOURS: Partial<Record<ProcessState, Paint>> = { 'ready': 'green', 'unhealthy': 'red', 'failed': 'red', 'back-off': 'yellow', 'held': 'yellow' };
const KIB_PER_MIB = 1024;

export function registerStatus(program: Command): void {
  program
    .command('status')
    .summary('show regions, replication lag, and every process')
    .description('Shows both regions and every process, once; it changes nothing.')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Regions:
  units    of the 64 units of riders and drivers, how many have their home here
  epoch    how often the homes have moved, counted from 1
  lag ms   how far this region is behind what its peer has written

Processes:
  starting    is not ready yet
  ready       is well
  unhealthy   runs, but fails its check: something it needs is away
  back-off    has crashed and comes back by itself
  held        was taken down on purpose, until somebody starts it
  failed      was given up

TANDEM_STATE names the deployment, where it is not the one under .tandem.
The password of the database stands in --json only.
`)
    .action(outcome(async (flags: { json?: true }) => {
      const status = await readStatus(stateDir());
      if (flags.json) printJson(status);
      else process.stdout.write(renderStatus(status));
    }));
}

export function renderStatus({ regions, witness, processes, supervisor }: DeploymentStatus): string {
  if (Object.keys(regions).length === 0) return 'nothing was ever started here; start with ./tandem up\n';
  const lines = [paint('region     state     units  epoch   lag ms  front door', 'bold')];
  for (const [name, region] of Object.entries(regions)) lines.push(regionLine(name, region));
  lines.push(`${'witness'.padEnd(11)}${witness?.healthy ? 'voting' : 'down'}`, '');
  for (const [name, { endpoints }] of Object.entries(regions)) lines.push(...endpointLines(name, endpoints));
  if (processes.length === 0) return `${[...lines, 'nothing runs; start with ./tandem up'].join('\n')}\n`;
  lines.push('', paint('process                  state        pid       MiB  restarts  last exit', 'bold'), ...processes.map(processLine));
  const residentKib = processes.reduce((sum, status) => sum + status.residentKib, supervisor?.residentKib ?? 0);
  const healthy = processes.filter((status) => status.healthy).length;
  lines.push('', `${healthy} of ${processes.length} processes healthy, ${Math.round(residentKib / KIB_PER_MIB)} MiB resident with the supervisor`);
  return `${lines.join('\n')}\n`;
}

function regionLine(name: string, { state, units, epoch, lagMs, endpoints }: RegionStatus): string {
  const cells = [
    name.padEnd(10), state.padEnd(9), text(units).padStart(5), text(epoch).padStart(6), text(lagMs === null ? null : Math.round(lagMs)).padStart(8), ` ${endpoints.router}`,
  ];
  return cells.join(' ');
}

/** The operator's database password stands in --json and in topology.json, not on a screen that others may see. */
function endpointLines(name: string, { dashboard, mysql, redis, kafka }: RegionStatus['endpoints']): string[] {
  return [
    `${name.padEnd(10)} dashboard ${dashboard}`,
    `${''.padEnd(10)} mysql ${mysql.host}:${mysql.port}/${mysql.database} as ${mysql.user}`,
    `${''.padEnd(10)} redis ${redis}  kafka ${kafka}`,
  ];
}

function processLine({ name, state, pid, residentKib, restarts, lastExit }: ProcessStatus): string {
  const colour = COLOURS[state];
  const shown = state.padEnd(12);
  const mib = pid === null ? '-' : String(Math.round(residentKib / KIB_PER_MIB));
  const cells = [name.padEnd(24), colour ? paint(shown, colour) : shown, text(pid).padEnd(8), mib.padStart(4), String(restarts).padStart(9), ` ${lastExit ?? ''}`];
  return cells.join(' ').slice(0, 80 + (shown.length === 12 && colour ? 20 : 0)).trimEnd();
}

function text(value: number | null): string {
  return value === null ? '-' : String(value);
}
