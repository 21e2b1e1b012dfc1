/**
 * `tandem migrate`: carries the migrations of this version through both regions, expand first; contract on request and proof.
 *
 * Invariant: the plan is shown before anything runs. Exit 3 where the proof for contract is not there: nothing was removed.
 */
import type { Command } from 'commander';
import { readTopology } from '../../../shared/config/topology.ts';
import type { Topology } from '../../../shared/config/topology.ts';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { NODES_PREFIX, parseWriters } from '../../../shared/schema/contract-proof.ts';
import type { Writer } from '../../../shared/schema/contract-proof.ts';
import { MIGRATE_USER } from '../../../shared/schema/grants.ts';
import { loadMigrations } from '../../../shared/schema/migrations.ts';
import { openRollout } from '../../../shared/schema/rollout.ts';
import type { PlannedStep, Rollout, RolloutSide } from '../../../shared/schema/rollout.ts';
import { createUsers } from '../bootstrap/database-users.ts';
import { readSecrets } from '../secrets.ts';
import type { Secrets } from '../secrets.ts';
import { CHANGE_PARTITIONS } from '../stack-services.ts';
import { stateDir } from '../state-dir.ts';
import { EXIT, outcome, printJson } from './outcome.ts';
import { renderLeft, renderPlan, renderStep } from './render-migrate.ts';

/** Heartbeats come five times a second; one that does not arrive in this time will not soon. */
const PROOF_DEADLINE_MS = 15_000;
const ETCD_DEADLINE_MS = 5_000;

interface MigrateFlags {
  readonly contract?: true;
  readonly dryRun?: true;
  readonly region?: string;
  readonly json?: true;
}

export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .summary('bring both regions\' schemas to this version')
    .description('Carries schema migrations through both regions. What only adds (expand) runs in one region after the other; what removes (contract) waits for --contract.')
    .option('--contract', 'also run what removes, once it is proven that nobody writes it')
    .option('--dry-run', 'show the plan and change nothing')
    .option('--region <name>', 'run steps in this region only')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Needs both databases running; --contract needs etcd, too. It goes on where an
earlier run was interrupted.

--contract is refused (exit 3) unless:
  - both regions have every expand step;
  - every process that writes runs a version that carries the contract step;
  - each region has applied a heartbeat that the other wrote after that.
Exit codes: 0 done; 1 failed; 2 bad usage; 3 not proven safe, nothing removed.
`)
    .action(outcome(migrateCommand));
}

async function migrateCommand(flags: MigrateFlags): Promise<number> {
  const dirs = stateDir();
  const topology = readTopology(dirs.topologyFile);
  const secrets = await readSecrets(dirs.secretsFile);
  const sides = sidesOf(topology, secrets);
  if (flags.region !== undefined && !sides.some(({ region }) => region === flags.region)) {
    throw new TandemError('usage-invalid', `--region ${flags.region}: there are ${sides.map(({ region }) => region).join(' and ')}`);
  }
  const rollout = await openRollout({ sides, migrations: await loadMigrations(), rulesFile: process.env['TANDEM_CONFLICT_RULES'], only: flags.region, log: QUIET });
  try {
    const plan = await rollout.plan();
    process.stderr.write(renderPlan(plan, flags));
    const ran = flags.dryRun ? [] : await run(rollout, { flags, topology, secrets, sides });
    const left = await rollout.plan();
    if (flags.json) printJson({ dryRun: flags.dryRun === true, plan: plan.map(stepView), ran: ran.map(stepView), left: left.map(stepView) });
    else if (!flags.dryRun) process.stdout.write(renderLeft(ran, left));
    return EXIT.done;
  } finally {
    await rollout.close();
  }
}

type Run = { readonly flags: MigrateFlags; readonly topology: Topology; readonly secrets: Secrets; readonly sides: readonly RolloutSide[] };

async function run(rollout: Rollout, { flags, topology, secrets, sides }: Run): Promise<readonly PlannedStep[]> {
  const { ran } = await rollout.expand(renderStep);
  // A new table has no rights on it yet; giving them again changes nothing.
  for (const region of new Set(ran.map((step) => step.region))) {
    const side = sides.find((candidate) => candidate.region === region)!;
    const { mysqlRoot, mysqlUsers } = secrets.regions[region]!;
    await createUsers({ ...side.database, user: 'root', password: mysqlRoot }, mysqlUsers);
  }
  if (!flags.contract) return ran;
  const contracted = await rollout.contract({
    partitions: CHANGE_PARTITIONS, writers: () => readWriters(topology.etcd), nowMs: () => performance.now(), deadlineMs: PROOF_DEADLINE_MS,
  }, renderStep);
  return [...ran, ...contracted.ran];
}

function sidesOf({ regions }: Topology, secrets: Secrets): [RolloutSide, RolloutSide] {
  const sides = Object.entries(regions).toSorted(([, a], [, b]) => a.origin - b.origin).map(([region, { origin, endpoints }]): RolloutSide => {
    const password = secrets.regions[region]?.mysqlUsers[MIGRATE_USER];
    if (password === undefined) throw new TandemError('config-invalid', `the secrets have no password of ${MIGRATE_USER} in ${region}`);
    return { region, origin, database: { ...endpoints.mysql, user: MIGRATE_USER, password } };
  });
  return [sides[0]!, sides[1]!];
}

async function readWriters(endpoints: readonly string[]): Promise<readonly Writer[]> {
  const etcd = openEtcd({ endpoints, log: QUIET, deadlineMs: ETCD_DEADLINE_MS });
  try {
    return parseWriters(await etcd.getPrefix(NODES_PREFIX));
  } finally {
    await etcd.close();
  }
}

function stepView({ region, migration, phase, step, statement, rows }: PlannedStep) {
  return { region, migration, phase, step: step + 1, statement, rows };
}

/** Progress is told statement by statement; a log would only get between. */
const QUIET: LogSink = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
