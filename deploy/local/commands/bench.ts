/**
 * `tandem bench`: runs one of the benches under test/bench in a process of its own, with our terminal.
 *
 * Invariant: a bench starts its own servers and neither needs nor touches a running stack; its exit code is ours. Options after the
 * name go to the bench as they are. To add a bench is to add a line to BENCHES and its file.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { sayOnStderr } from '../console.ts';
import { ensurePrograms } from '../programs/ensure.ts';
import { ensureKafkaConnect } from '../programs/kafka-connect-jars.ts';
import { REPO_ROOT, stateDir } from '../state-dir.ts';
import { EXIT, outcome } from './outcome.ts';

interface Bench {
  readonly measures: string;
  readonly takes: string;
  readonly options: readonly string[];
  /** Programs beside those of the stack. */
  readonly wants?: 'debezium';
}

const BENCHES: Readonly<Record<string, Bench>> = {
  sim: {
    measures: 'two simulated regions that must agree in the end, seed by seed',
    takes: 'about a minute for 2,000 seeds',
    options: ['--seeds N', '--seed N (that history alone)'],
  },
  cdc: {
    measures: "speed, lag and cost of replication beside MariaDB's and Debezium's",
    takes: 'up to 8 minutes',
    options: ['--rows N', '--seconds N', '--peers mariadb,debezium', '--engine mariadb|mysql'],
    wants: 'debezium',
  },
  crash: {
    measures: 'rows lost, doubled or different after kills of every process',
    takes: 'some seconds a kill',
    options: ['--kills N', '--engine mariadb|mysql'],
  },
};

export function registerBench(program: Command): void {
  program
    .command('bench')
    .summary('measure a part of Tandem, and what it is held against')
    .description('Measures one part of Tandem on servers of its own, and prints what was reached beside what was to be reached.')
    .argument('<name>', `what to measure: ${Object.keys(BENCHES).join(', ')}`)
    .argument('[options...]', 'options of that bench; all know --json')
    .allowUnknownOption()
    .addHelpText('after', `\n${helpText()}\n\nExit codes: 0 measured, whatever the figures, 1 something went wrong,\n2 bad usage.\n`)
    .action((name: string, args: string[]) => outcome(async () => runBench(name, args))({}));
}

function helpText(): string {
  const lines = Object.entries(BENCHES).flatMap(([name, { measures, takes, options }]) =>
    [`  ${name.padEnd(7)}${measures}`, `         takes ${takes}`, ...options.map((option) => `         ${option}`)]);
  return ['Benches:', ...lines].join('\n');
}

async function runBench(name: string, args: readonly string[]): Promise<number> {
  const bench = BENCHES[name];
  if (bench === undefined) throw new TandemError('usage-invalid', `there is no bench '${name}'; there are ${Object.keys(BENCHES).join(', ')}`);
  const file = path.join(REPO_ROOT, 'test', 'bench', `${name}.ts`);
  if (!existsSync(file)) throw new TandemError('missing-program', `the bench ${name} is not part of this checkout: ${path.relative(REPO_ROOT, file)} is missing`);
  const { cache } = stateDir();
  await ensurePrograms({ cache, say: sayOnStderr });
  if (bench.wants === 'debezium') await ensureKafkaConnect({ cache, say: sayOnStderr });
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], { cwd: REPO_ROOT, stdio: 'inherit', env: { ...process.env, TANDEM_CACHE: cache } });
    // The terminal sends Ctrl-C to both: the bench ends its servers, and we wait for it.
    process.on('SIGINT', () => {});
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? EXIT.failed));
  });
}
