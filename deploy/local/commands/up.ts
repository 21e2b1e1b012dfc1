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
import { sayOnStderr } from '../console.ts';
import type { Say } from '../console.ts';
import { progressTeller } from '../progress.ts';
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
const VIOLATIONS_SHOWN_MAX = 10;

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
    .description('set up and start both regions, drive real trips through them, sum up')
    .option('-d, --detach', 'return after the summary; the regions run on')
    .option('--rides <n>', 'how many trips to drive; 0 for none', wholeNumber(RIDES_MAX), RIDES_DEFAULT)
    .option('--trips <file>', 'a CSV of trips: request_id,t_sec,o_lat,o_lon,d_lat,d_lon')
    .option('--speed <x>', 'seconds of the trips\' day in one of ours', speedOf, SPEED_DEFAULT)
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Trips come from --trips, else ../shared/data/manhattan/trips.csv, else the PyPI package nrel.hive, else a synthetic day.
TANDEM_STATE (default .tandem) holds all data; TANDEM_PORT_BASE (default 17000) moves all ports; TANDEM_MYSQLD chooses the database server.
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
  const driven = flags.rides === 0 ? null : await drive({ stack, source, flags, say, startedMs });
  if (driven !== null) {
    if (flags.json) printJson(driven.summary);
    else process.stdout.write(renderSummary(driven.summary));
  }
  if (!flags.detach) await stayUntilInterrupted(say);
  return driven === null || driven.isWell ? EXIT.done : EXIT.failed;
}

interface Driven {
  readonly summary: Summary;
  /** Both regions hold the same and every promise held; a rejected ride is an answer, a lost one is not. */
  readonly isWell: boolean;
}

async function drive(parts: { stack: RunningStack; source: TripSource; flags: UpFlags; say: Say; startedMs: number }): Promise<Driven> {
  const { stack: { plan, topology, secrets }, source, flags, say, startedMs } = parts;
  const trips = source.trips.slice(0, flags.rides);
  if (trips.length < flags.rides) say(`${source.source} has only ${trips.length} trips: driving all of them`);
  say(`driving ${trips.length} trips from ${source.source}, ${flags.speed} times as fast as they were`);
  const baseline = await readBaseline(plan, topology);
  const mint: MintToken = (role, accountId) => mintToken(secrets.jwt.privateJwk, { role, accountId: BigInt(accountId) });
  const report = await runReplay({ topology, mintToken: mint, trips, starts: source.starts, speed: flags.speed, onProgress: progressTeller(say) });
  say('rides are over; comparing both regions row by row');
  const verdict = await judgeReplay(topology, report);
  tellViolations(verdict.violations, say);
  const summary = await summarise({ plan, topology, baseline, source: source.source, report, verdict, wallMs: performance.now() - startedMs });
  return { summary, isWell: verdict.violations.length === 0 && verdict.rowsDifferent === 0 && verdict.ids.duplicates === 0 };
}

function tellViolations(violations: Verdict['violations'], say: Say): void {
  for (const { claim, region, what } of violations.slice(0, VIOLATIONS_SHOWN_MAX)) say(`broken in ${region}: ${claim}: ${what}`);
  if (violations.length > VIOLATIONS_SHOWN_MAX) say(`and ${violations.length - VIOLATIONS_SHOWN_MAX} more broken promises`);
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
