/**
 * `tandem chaos`: kills a part of one region during a replay, brings it back, and judges what came of it.
 *
 * Invariant: it exits 0 only when nothing was lost, nothing doubled and both regions are identical row by row. What it took away it
 * gives back, whatever happens; a stack that it had to start itself it takes down again.
 */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { runScenario } from '../../../chaos/run-scenario.ts';
import type { ScenarioReport } from '../../../chaos/run-scenario.ts';
import { readScenario } from '../../../chaos/scenario.ts';
import type { Scenario } from '../../../chaos/scenario.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { sayOnStderr } from '../console.ts';
import type { Say } from '../console.ts';
import { progressTeller } from '../progress.ts';
import { checkReplay, tellUnanswered } from '../replay-checks.ts';
import { compareRegions, openDatabases, runReplay } from '../run-replay.ts';
import { startStack } from '../start-stack.ts';
import type { RunningStack } from '../start-stack.ts';
import { stateDir } from '../state-dir.ts';
import { readBaseline, renderSummary, summarise } from '../summary.ts';
import type { Summary } from '../summary.ts';
import { SupervisorClient } from '../supervisor/client.ts';
import { mintToken } from '../tokens.ts';
import { loadTrips } from '../trips/load-trips.ts';
import { stopStack } from './down.ts';
import { EXIT, outcome, printJson } from './outcome.ts';

const TARGETS = ['cdc', 'redis', 'kafka', 'mysql', 'etcd'] as const;
const RIDES_DEFAULT = 120;
const RIDES_MAX = 100_000;
/** Slow enough that rides are under way before, during and after the outage. */
const SPEED = 25;

interface ChaosFlags {
  readonly region: string;
  readonly target: (typeof TARGETS)[number];
  readonly rides: number;
  readonly trips?: string;
  readonly json?: true;
}

export function registerChaos(program: Command): void {
  program
    .command('chaos')
    .summary('kill a part of a region during trips, judge the outcome')
    .description('Drives trips, kills a part of one region meanwhile, brings it back, and judges the outcome. Takes a few minutes.')
    .requiredOption('--region <name>', 'the region to strike, east or west (required)')
    .addOption(new Option('--target <part>', 'what dies (required)').choices([...TARGETS]).makeOptionMandatory())
    .option('--rides <n>', 'how many trips to drive meanwhile', ridesOf, RIDES_DEFAULT)
    .option('--trips <file>', 'a CSV of trips, as for up')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Targets:
  cdc     capture and apply: what carries changes to the peer and from it
  redis   live positions and nudges
  kafka   the stream in which changes wait
  mysql   the database
  etcd    this region's member of three
What is killed when, and for how long, stands in chaos/scenarios/*.yaml.

Uses the stack that runs, or starts one and takes it down again.
Example: ./tandem chaos --region east --target mysql

Exit codes: 0 every promise held, 1 one was broken (each is named), 2 bad usage.
`)
    .action(outcome(chaos));
}

async function chaos(flags: ChaosFlags): Promise<number> {
  const startedMs = performance.now();
  const dirs = stateDir();
  const say = sayOnStderr;
  const scenario = await readScenario(flags.target);
  const source = await loadTrips({ file: flags.trips, cache: dirs.cache, say });
  const wasUp = (await SupervisorClient.connect(dirs.socket('supervisor'))) !== null;
  const stack = await startStack({ dirs, env: process.env, say });
  try {
    refuseUnknownRegion(stack, flags.region);
    const baseline = await readBaseline(stack.plan, stack.topology);
    const trips = source.trips.slice(0, flags.rides);
    const report = await strike({ stack, scenario, flags, trips, starts: source.starts, say });
    const summary = await summarise({
      plan: stack.plan, topology: stack.topology, baseline, source: source.source, report: report.replay, verdict: report.verdict,
      wallMs: performance.now() - startedMs,
    });
    const isWell = tell({ flags, scenario, requested: trips.length, report, summary });
    return isWell ? EXIT.done : EXIT.failed;
  } finally {
    if (!wasUp) await stopStack(dirs, say);
  }
}

async function strike(parts: {
  stack: RunningStack;
  scenario: Scenario;
  flags: ChaosFlags;
  trips: Parameters<typeof runReplay>[0]['trips'];
  starts: Parameters<typeof runReplay>[0]['starts'];
  say: Say;
}): Promise<ScenarioReport> {
  const { stack: { topology, secrets, supervisor }, scenario, flags, trips, starts, say } = parts;
  const databases = openDatabases(topology);
  say(`${scenario.name} in ${flags.region}: ${scenario.about}`);
  try {
    return await runScenario({
      scenario,
      region: flags.region,
      control: supervisor,
      databases,
      replay: (onProgress) =>
        runReplay({
          topology, trips, starts, speed: SPEED, onProgress,
          mintToken: (role, accountId) => mintToken(secrets.jwt.privateJwk, { role, accountId: BigInt(accountId) }),
        }),
      compare: () => compareRegions(topology),
      onStep: say,
      onProgress: progressTeller(say),
    });
  } finally {
    await Promise.all([...databases.values()].map((database) => database.close()));
  }
}

function refuseUnknownRegion({ topology }: RunningStack, region: string): void {
  const regions = Object.keys(topology.regions);
  if (!regions.includes(region)) throw new TandemError('usage-invalid', `there is no region '${region}'; there are ${regions.join(' and ')}`);
}

function tell(parts: { flags: ChaosFlags; scenario: Scenario; requested: number; report: ScenarioReport; summary: Summary }): boolean {
  const { flags, scenario, requested, report: { verdict, replay, awayMs }, summary } = parts;
  const { checks, isWell, unanswered } = checkReplay({ requested, rides: replay.rides, verdict });
  if (flags.json) {
    printJson({
      target: scenario.name, region: flags.region, passed: isWell, awayMs: Math.round(awayMs), catchUpMs: Math.round(verdict.catchUpMs),
      checks, violations: verdict.violations, promises: verdict.promises, calls: replay.calls, ...summary,
    });
    return isWell;
  }
  const { promises } = verdict;
  process.stdout.write(renderSummary(summary));
  process.stdout.write([
    `away         ${(awayMs / 1_000).toFixed(1)} s; caught up ${Math.round(verdict.catchUpMs)} ms after the last ride`,
    `calls        ${replay.calls.calls}, ${replay.calls.retries} retried, ${replay.calls.failures} given up`,
    `promises     ${promises.pickupsOnTime}/${promises.boarded} picked up in time, ${promises.arrivalsOnTime}/${promises.completed} arrived in time`,
    ...verdict.violations.map(({ claim, region, what }) => `broken       ${claim} (${region}): ${what}`),
    ...unanswered.map((ride) => `unanswered   ${tellUnanswered(ride)}`),
    '',
    ...checks.map(({ claim, held }) => `${held ? 'ok  ' : 'FAIL'}  ${claim}`),
    '',
  ].join('\n'));
  return isWell;
}

function ridesOf(text: string): number {
  if (/^\d{1,6}$/.test(text) && Number(text) >= 1 && Number(text) <= RIDES_MAX) return Number(text);
  throw new InvalidArgumentError(`expected a whole number from 1 to ${RIDES_MAX}`);
}
