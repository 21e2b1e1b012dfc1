/**
 * `tandem up`: sets everything up, starts both regions, drives real trips through their APIs, ends with a summary.
 *
 * Invariant: arguments and the trips file are checked before anything is installed or started. Without --detach it stays in
 * the foreground, and Ctrl-C takes the stack down in order.
 */
import { once } from 'node:events';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { Verdict } from '../../../chaos/judge.ts';
import type { ReplayReport } from '../../../chaos/workloads/replay.ts';
import { sayOnStderr } from '../console.ts';
import { contractLeft } from '../contract-left.ts';
import type { Say } from '../console.ts';
import { progressTeller } from '../progress.ts';
import { checkReplay, tellUnanswered } from '../replay-checks.ts';
import type { ReplayChecks } from '../replay-checks.ts';
import { judgeReplay, runReplay } from '../run-replay.ts';
import type { MintToken } from '../run-replay.ts';
import { startStack } from '../start-stack.ts';
import type { RunningStack } from '../start-stack.ts';
import { stateDir } from '../state-dir.ts';
import { readBaseline, renderSummary, summarise } from '../summary.ts';
import type { Summary } from '../summary.ts';
import { mintToken } from '../tokens.ts';
import { loadTrips } from '../trips/load-trips.ts';
import type { TripSource } from '../trips/load-trips.ts';
import { stopStack } from './down.ts';
import { EXIT, outcome, printJson } from './outcome.ts';

export const RIDES_DEFAULT = 300;
export const SPEED_DEFAULT = 20;
const RIDES_MAX = 1_000_000;
const SPEED_MAX = 1_000;
/** Of broken promises, and of rides without an answer. */
const FAULTS_SHOWN_MAX = 10;

const NO_REPLAY: ReplayReport = {
  rides: [],
  calls: { calls: 0, retries: 0, failures: 0 },
  drivers: { offers: 0, accepts: 0, lostOffers: 0, reconnects: 0, pingErrors: 0, stopErrors: 0 },
  wallMs: 0,
};

interface UpFlags {
  readonly detach?: true;
  readonly rides: number;
  readonly trips?: string;
  readonly speed: number;
  readonly json?: true;
}

export function registerUp(program: Command): void {
  program
    .command('up')
    .summary('start both regions, drive real trips, sum up')
    .description('Sets up what is missing, starts both regions on this machine, drives real trips through their rider and driver APIs, and sums up. '
      + 'Then it keeps running: Ctrl-C stops everything. A stack that runs already is used as it is.')
    .option('-d, --detach', 'return after the summary; the regions run on until ./tandem down')
    .option('--rides <n>', 'how many trips to drive; 0 for none', wholeNumber(RIDES_MAX), RIDES_DEFAULT)
    .option('--trips <file>', 'trips of your own, as CSV (columns below)')
    .option('--speed <x>', 'how many times faster than in the day of the trips; 1 is real time', speedOf, SPEED_DEFAULT)
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Trips: the file of --trips (columns request_id,t_sec,o_lat,o_lon,d_lat,d_lon),
else ../shared/data/manhattan/trips.csv, else what the PyPI package nrel.hive
carries, else a synthetic day. The summary says which.

Environment:
  TANDEM_STATE       where data, logs and passwords are kept (default .tandem)
  TANDEM_PORT_BASE   moves all ports (default 17000)
  TANDEM_MYSQLD      a mysqld or mariadbd to use instead of the system's

Exit codes: 0 all is well; 1 it could not start, or a check failed (which one is
said): a broken promise, regions that differ, fewer than 95 % of the rides
completed or rejected with a reason; 2 bad usage.
`)
    .action(outcome(up));
}

async function up(flags: UpFlags): Promise<number> {
  const startedMs = performance.now();
  const dirs = stateDir();
  const say = sayOnStderr;
  const source = await loadTrips({ file: flags.trips, cache: dirs.cache, say });
  const stack = await startStack({ dirs, env: process.env, say });
  tellWhere(stack, say);
  for (const [region, names] of await contractLeft(stack.topology)) {
    say(`${region} holds data, so what ${names.join(', ')} removes is left; once every process runs this version: ./tandem migrate --contract`);
  }
  // Without rides there is nothing to sum up for a person; a program is promised its object all the same.
  const driven = flags.rides === 0 && !flags.json ? null : await drive({ stack, source, flags, say, startedMs });
  if (driven !== null) {
    // Before the summary: that must be the last line.
    tellFaults(driven, say);
    if (flags.json) printJson(driven.summary);
    else process.stdout.write(renderSummary(driven.summary));
  }
  if (!flags.detach) await stayUntilInterrupted(say);
  return driven === null || driven.checks.isWell ? EXIT.done : EXIT.failed;
}

interface Driven {
  readonly summary: Summary;
  readonly checks: ReplayChecks;
  readonly violations: Verdict['violations'];
}

async function drive(parts: { stack: RunningStack; source: TripSource; flags: UpFlags; say: Say; startedMs: number }): Promise<Driven> {
  const { stack: { plan, topology, secrets }, source, flags, say, startedMs } = parts;
  const trips = source.trips.slice(0, flags.rides);
  if (trips.length < flags.rides) say(`${source.source} has only ${trips.length} trips: driving all of them`);
  const baseline = await readBaseline(plan, topology);
  const mint: MintToken = (role, accountId) => mintToken(secrets.jwt.privateJwk, { role, accountId: BigInt(accountId) });
  if (trips.length > 0) say(`driving ${trips.length} trips from ${source.source}, ${flags.speed} times as fast as they were`);
  const report = trips.length === 0
    ? NO_REPLAY
    : await runReplay({ topology, mintToken: mint, trips, starts: source.starts, speed: flags.speed, onProgress: progressTeller(say) });
  say('comparing both regions row by row');
  const verdict = await judgeReplay(topology, report);
  const summary = await summarise({ plan, topology, baseline, source: source.source, report, verdict, wallMs: performance.now() - startedMs });
  return { summary, checks: checkReplay({ requested: trips.length, rides: report.rides, verdict }), violations: verdict.violations };
}

/** Which check failed, and on what; nothing where all is well. */
function tellFaults({ checks: { checks, unanswered }, violations }: Driven, say: Say): void {
  for (const { claim, held } of checks) if (!held) say(`FAIL  ${claim}`);
  tellSome(violations.map(({ claim, region, what }) => `broken in ${region}: ${claim}: ${what}`), 'broken promises', say);
  tellSome(unanswered.map((ride) => `unanswered: ${tellUnanswered(ride)}`), 'rides without an answer', say);
}

function tellSome(lines: readonly string[], what: string, say: Say): void {
  for (const line of lines.slice(0, FAULTS_SHOWN_MAX)) say(line);
  if (lines.length > FAULTS_SHOWN_MAX) say(`and ${lines.length - FAULTS_SHOWN_MAX} more ${what}`);
}

function tellWhere({ topology }: RunningStack, say: Say): void {
  for (const [region, { endpoints }] of Object.entries(topology.regions)) {
    say(`${region} is up: API ${endpoints.router}/docs, dashboard ${endpoints.dashboard}`);
  }
}

async function stayUntilInterrupted(say: Say): Promise<void> {
  say('running; Ctrl-C stops everything (or ./tandem down from elsewhere)');
  // A pending promise alone does not keep Node alive.
  const alive = setInterval(() => {}, 60_000);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  clearInterval(alive);
  await stopStack(stateDir(), say);
}

function wholeNumber(max: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) <= max) return Number(text);
    throw new InvalidArgumentError(`expected a whole number from 0 to ${max}`);
  };
}

function speedOf(text: string): number {
  const speed = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (speed >= 0.1 && speed <= SPEED_MAX) return speed;
  throw new InvalidArgumentError(`expected a number from 0.1 to ${SPEED_MAX}`);
}
