/**
 * `tandem diff`: are both regions' databases the same? Exit 0: identical. Exit 1: they differ, or it could not be told.
 *
 * Invariant: the answer goes to stdout (with --json one object as its last line), progress to stderr and only to a terminal.
 */
import type { Command } from 'commander';
import type { Topology } from '../../../shared/config/topology.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { isTandemError, TandemError } from '../../../shared/kernel/tandem-error.ts';
import { REPLICATED_TABLES } from '../../../shared/schema/tables.ts';
import { runDiff } from '../run-diff.ts';
import type { DiffProgress, DiffSide } from '../run-diff.ts';
import { renderDiff } from './render-diff.ts';

const EXIT_DIFFERENT = 1;
const EXIT_USAGE = 2;
const LINE_WIDTH = 80;

export interface DiffDeps {
  readonly readTopology: () => Topology;
}

interface DiffFlags {
  readonly json?: true;
  readonly table?: string[];
}

export function registerDiff(program: Command, deps: DiffDeps): void {
  program
    .command('diff')
    .summary('compare both regions\' databases row by row')
    .description('Compares both regions\' databases row by row. It only reads; rows still on their way are given time to arrive.')
    .option('--json', 'print one JSON object as the last line')
    .option('--table <name...>', `only these of the ${REPLICATED_TABLES.length} replicated tables, for example rides payments`)
    .addHelpText('after', `
Needs both databases running (./tandem up).
Exit codes: 0 identical; 1 they differ, or it could not be told; 2 bad usage.
`)
    .action(async (flags: DiffFlags) => {
      process.exitCode = await diffCommand(flags, deps);
    });
}

async function diffCommand(flags: DiffFlags, deps: DiffDeps): Promise<number> {
  const unknown = (flags.table ?? []).filter((table) => !(REPLICATED_TABLES as readonly string[]).includes(table));
  if (unknown.length > 0) {
    process.stderr.write(`no replicated table is called ${unknown.join(', ')}; there are: ${REPLICATED_TABLES.join(', ')}\n`);
    return EXIT_USAGE;
  }
  const [left, right] = sidesOf(deps.readTopology());
  const interrupt = new AbortController();
  const onSigint = (): void => interrupt.abort(new TandemError('cancelled', 'interrupted: nothing is proven either way'));
  process.once('SIGINT', onSigint);
  const isTerminal = process.stderr.isTTY && flags.json === undefined;
  try {
    const report = await runDiff({
      left, right,
      tables: flags.table,
      log: QUIET,
      signal: interrupt.signal,
      onProgress: isTerminal ? showProgress : undefined,
    });
    if (isTerminal) clearProgress();
    process.stdout.write(flags.json === undefined ? renderDiff(report) : `${JSON.stringify(report)}\n`);
    return report.rowsDifferent === 0 && report.rowsUnsettled === 0 ? 0 : EXIT_DIFFERENT;
  } catch (e) {
    if (!isTandemError(e)) throw e;
    if (isTerminal) clearProgress();
    process.stderr.write(`diff: ${e.message}\n`);
    return EXIT_DIFFERENT;
  } finally {
    process.off('SIGINT', onSigint);
  }
}

function sidesOf({ regions }: Topology): [DiffSide, DiffSide] {
  const sides = Object.entries(regions)
    .toSorted(([, a], [, b]) => a.origin - b.origin)
    .map(([name, { endpoints }]) => ({ name, mysql: endpoints.mysql }));
  return [sides[0] as DiffSide, sides[1] as DiffSide];
}

function showProgress({ table, tableNo, tableCount, rowsCompared }: DiffProgress): void {
  const line = `comparing ${tableNo}/${tableCount} ${table} · ${rowsCompared.toLocaleString('en')} rows`;
  process.stderr.write(`\r${line.slice(0, LINE_WIDTH).padEnd(LINE_WIDTH)}`);
}

function clearProgress(): void {
  process.stderr.write(`\r${' '.repeat(LINE_WIDTH)}\r`);
}

/** The command's answer says it all; a log would only get between. */
const QUIET: LogSink = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
