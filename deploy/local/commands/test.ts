/**
 * `tandem test`: brings what the tests need, checks types and style, runs the tests, and ends with one line of counts.
 *
 * The suites that touch a database run on each engine that is there, so a real MySQL is brought beside MariaDB where that can be.
 *
 * Invariant: the last line is 'N passed, N failed' (', N skipped' where some were), alone, whatever happened before; the exit
 * code is 0 only when types, style and every test are well. Further arguments go to vitest.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { sayOnStderr } from '../console.ts';
import { databaseEngines, ensureMysqlForTests, isWanted } from '../programs/database-engines.ts';
import { ensurePrograms } from '../programs/ensure.ts';
import { ensureKafkaConnect } from '../programs/kafka-connect-jars.ts';
import { locateChromium } from '../programs/locate.ts';
import { REPO_ROOT, stateDir } from '../state-dir.ts';
import { EXIT, outcome } from './outcome.ts';

const BIN = path.join(REPO_ROOT, 'node_modules', '.bin');

export function registerTest(program: Command): void {
  program
    .command('test')
    .summary('run all tests, types and style first')
    .description('Checks types and style, then runs the tests, on real servers of their own; it neither needs nor touches a running stack.')
    .argument('[vitest...]', 'arguments for vitest: for example a file, or -t "a name"')
    .allowUnknownOption()
    .addHelpText('after', `
Fetches what is missing first: programs, Kafka Connect with Debezium, and a real
MySQL beside MariaDB where ../shared/tools/get-mysql is there. TANDEM_MYSQLD
names one of your own; TANDEM_TEST_ENGINES=mariadb runs the tests on MariaDB
alone.

The last line is the count. Exit codes: 0 all is well, 1 something failed.
`)
    .action((vitest: string[]) => outcome(async () => runTests(vitest))({}));
}

async function runTests(args: readonly string[]): Promise<number> {
  const dirs = stateDir();
  await ensurePrograms({ cache: dirs.cache, say: sayOnStderr, browser: true });
  await ensureMysqlForTests({ cache: dirs.cache, say: sayOnStderr });
  await ensureKafkaConnect({ cache: dirs.cache, say: sayOnStderr });
  const engines = [...(await databaseEngines(dirs.cache)).values()].filter(({ engine }) => isWanted(engine));
  const chromium = locateChromium();
  sayOnStderr('checking types (tsc) and style (oxlint)');
  const checks = { 'types (tsc)': await passThrough('tsc', ['--noEmit']), 'style (oxlint)': await passThrough('oxlint', []) };
  const scratch = await mkdtemp(path.join(tmpdir(), 'tandem-vitest-'));
  try {
    const report = path.join(scratch, 'report.json');
    sayOnStderr('running the tests (vitest)');
    const status = await passThrough('vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args], {
      TANDEM_CACHE: dirs.cache, ...(chromium === null ? {} : { TANDEM_CHROMIUM: chromium }),
    });
    const badChecks = Object.entries(checks).filter(([, check]) => check !== 0).map(([name]) => name);
    const counts = await countsOf(report);
    // A suite that fails outside of a test, as a check that fails, has no test to its name and still is a failure.
    const failed = counts.failed + badChecks.length + (status !== 0 && counts.failed === 0 ? 1 : 0);
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    if (badChecks.length > 0) process.stdout.write(`\nfailed before the tests: ${badChecks.join(', ')}\n`);
    process.stdout.write(`\ndatabase engines: ${engines.map(({ engine, version }) => `${engine} ${version}`).join(', ')}\n`);
    process.stdout.write(`\n${counts.passed} passed, ${failed} failed${skipped}\n`);
    return failed === 0 ? EXIT.done : EXIT.failed;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function countsOf(report: string): Promise<{ passed: number; failed: number; skipped: number }> {
  const text = await readFile(report, 'utf8').catch(() => '{}'); // vitest ended before it wrote one
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0 } = JSON.parse(text) as Partial<Record<string, number>>;
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests };
}

/** Runs a tool of node_modules with our terminal; PATH finds Node 24 first. */
function passThrough(tool: string, args: readonly string[], env: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(path.join(BIN, tool), args, {
      cwd: REPO_ROOT, stdio: 'inherit', env: { ...process.env, PATH: `${BIN}${path.delimiter}${process.env.PATH ?? ''}`, ...env },
    });
    child.on('error', (e) => {
      sayOnStderr(`${tool}: ${e.message}`);
      resolve(EXIT.failed);
    });
    child.on('close', (status) => resolve(status ?? EXIT.failed));
  });
}
