/** From what the replication bench measured to its report: tables, ratios, targets. Pure. */
import { formatCell } from '../report.ts';
import type { BenchReport, Cell, Table, Target } from '../report.ts';
import { KINDS } from './cpu-shares.ts';
import type { Shares } from './cpu-shares.ts';
import type { Drain } from './drain.ts';
import type { Lag } from './lag.ts';
import type { Options } from './options.ts';

export interface Measured {
  readonly options: Options;
  /** Who could not run, and why. */
  readonly absent: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  readonly singles: Record<string, Drain>;
  readonly bulks: Record<string, Drain>;
  readonly lags: Record<string, Lag>;
  shares: Readonly<Record<'capture' | 'apply', Shares>> | null;
}

const DRAIN_OF_MARIADB_MIN = 0.5;
const DRAIN_OF_DEBEZIUM_MIN = 3;
const LAG_P99_MS_MAX = 100;
const LAG_OF_DEBEZIUM_MAX = 1 / 3;
const RESIDENT_MIB_MAX = 256;

export function reportOf(measured: Measured): BenchReport {
  const { options, absent, settings, singles, bulks, lags, shares } = measured;
  return {
    bench: 'cdc',
    figures: { engine: options.engine, absent, settings, drain1Row: singles, drain100Rows: bulks, lagAt500PerSecond: lags, timeShares: shares },
    targets: targetsOf(measured),
    tables: [drainTable(measured), ...(options.seconds > 0 ? [lagTable(lags)] : []), costTable(measured), ...(shares === null ? [] : [sharesTable(shares)]), settingsTable(settings, absent)],
  };
}

function targetsOf({ singles, bulks, lags }: Measured): Target[] {
  const drain = (kind: string, drains: Record<string, Drain>, peer: string, target: number): Target => ({
    name: `drain, ${kind}, against ${peer}`, value: ratio(drains['tandem']?.rowsPerSecond, drains[peer]?.rowsPerSecond), target, better: 'higher',
  });
  const peak = (role: string): Target => ({
    name: `peak resident MiB of ${role}`, value: maxOf([singles, bulks].map((drains) => drains['tandem']?.peakMib[role])), target: RESIDENT_MIB_MAX, better: 'lower',
  });
  return [
    drain('1 row', singles, 'mariadb', DRAIN_OF_MARIADB_MIN),
    drain('100 rows', bulks, 'mariadb', DRAIN_OF_MARIADB_MIN),
    drain('1 row', singles, 'debezium', DRAIN_OF_DEBEZIUM_MIN),
    drain('100 rows', bulks, 'debezium', DRAIN_OF_DEBEZIUM_MIN),
    { name: 'lag p99 ms at 500 transactions/s', value: lags['tandem']?.p99Ms ?? null, target: LAG_P99_MS_MAX, better: 'lower' },
    { name: 'lag p99 against debezium', value: ratio(lags['tandem']?.p99Ms, lags['debezium']?.p99Ms), target: LAG_OF_DEBEZIUM_MAX, better: 'lower' },
    peak('capture'),
    peak('apply'),
  ];
}

function drainTable({ singles, bulks }: Measured): Table {
  return {
    title: 'Backlog drain, rows/s (and how many times that Tandem reaches)',
    columns: ['', '1 row', 'tandem x', '100 rows', 'tandem x'],
    rows: Object.keys(singles).map((name) => [
      name, whole(singles[name]?.rowsPerSecond), against(singles, name), whole(bulks[name]?.rowsPerSecond), against(bulks, name),
    ]),
  };
}

function lagTable(lags: Record<string, Lag>): Table {
  return {
    title: 'Lag in ms at a steady 500 transactions/s',
    columns: ['', 'p50', 'p99', 'p99.9', 'max', 'tx/s', 'probes'],
    rows: Object.entries(lags).map(([name, lag]) => [name, lag.p50Ms, lag.p99Ms, lag.p999Ms, lag.maxMs, whole(lag.transactionsPerSecond), lag.samples]),
  };
}

function costTable({ singles, bulks }: Measured): Table {
  const rows = Object.entries(singles).flatMap(([name, drain]) => {
    const bulk = bulks[name];
    const roles = Object.keys(drain.cpuSecondsPerMillionRows);
    return [
      ...roles.map((role): Cell[] => [
        `${name}: ${role}`, drain.cpuSecondsPerMillionRows[role] ?? null, bulk?.cpuSecondsPerMillionRows[role] ?? null, whole(maxOf([drain.peakMib[role], bulk?.peakMib[role]])),
      ]),
      [`${name}: all`, cpuOf(drain), cpuOf(bulk), null],
    ];
  });
  return { title: 'CPU seconds per million rows while draining; most memory held', columns: ['', '1 row', '100 rows', 'peak MiB'], rows };
}

function sharesTable({ capture, apply }: Readonly<Record<'capture' | 'apply', Shares>>): Table {
  return {
    title: 'Share of time, in per cent (a drain of both kinds, under the profiler)',
    columns: ['', 'capture', 'apply'],
    rows: KINDS.map((kind) => [kind, percent(capture[kind]), percent(apply[kind])]),
  };
}

function percent(share: number): string {
  return (share * 100).toFixed(1);
}

function settingsTable(settings: Readonly<Record<string, string>>, absent: Readonly<Record<string, string>>): Table {
  const lines = [...Object.entries(settings), ...Object.entries(absent).map(([name, why]) => [name, `did not run: ${why}`] as const)];
  return { title: 'Settings', columns: [''], rows: lines.flatMap(([name, text]) => wrap(`${name}: ${text}`).map((line) => [line])) };
}

function against(drains: Readonly<Record<string, Drain>>, name: string): number | null {
  return ratio(drains['tandem']?.rowsPerSecond, drains[name]?.rowsPerSecond);
}

function cpuOf(drain: Drain | undefined): number | null {
  return drain === undefined ? null : Object.values(drain.cpuSecondsPerMillionRows).reduce((a, b) => a + b, 0);
}

/** Breaks at spaces; continued lines are indented. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 78) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(last === undefined ? word : `  ${word}`);
  }
  return lines;
}

function ratio(a: number | undefined, b: number | undefined): number | null {
  return a === undefined || b === undefined ? null : a / b;
}

function whole(value: number | undefined | null): Cell {
  return value === undefined || value === null ? null : formatCell(Math.round(value));
}

function maxOf(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? null : Math.max(...known);
}
