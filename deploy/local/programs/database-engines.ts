/**
 * The database engines that the conformance suites run on: MariaDB from the system, and a real MySQL beside it where one can be had.
 *
 * Invariant: it never makes the tests fail: where no MySQL can be brought that is said in one line, and they go on with what is
 * there. A fetch that failed leaves nothing behind that could be taken for a server. The stack itself does not use what it fetches.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Say } from '../console.ts';
import { identifyMysql } from '../servers/mysql-program.ts';
import type { Engine, MysqlProgram } from '../servers/mysql-program.ts';
import { REPO_ROOT } from '../state-dir.ts';
import { onPath } from './locate.ts';
import type { Env } from './locate.ts';
import { run } from './run.ts';

/** Puts a real MySQL into a directory, with its libraries, and installs nothing. */
const GET_MYSQL = path.resolve(REPO_ROOT, '../shared/tools/get-mysql');
/** The directory that its usage proposes. */
const GET_MYSQL_PROPOSES = '/var/tmp/mysql';
const FETCH_DEADLINE_S = 600;

/** One program an engine: PATH, TANDEM_MYSQLD, then where get-mysql has put a MySQL. MariaDB comes first where it is on PATH. */
export async function databaseEngines(cache: string, env: Env = process.env): Promise<ReadonlyMap<Engine, MysqlProgram>> {
  const chosen = [onPath('mariadbd', env), onPath('mysqld', env), env.TANDEM_MYSQLD || null].filter((file) => file !== null);
  const fetched = [cachedMysql(cache), GET_MYSQL_PROPOSES].map((dir) => path.join(dir, 'mysqld')).filter((file) => existsSync(file));
  const programs = await Promise.all([
    ...chosen.map((file) => identifyMysql(file)),
    // What was fetched knows its own path: after the directory was moved it no longer runs, and is fetched anew.
    ...fetched.map((file) => identifyMysql(file).catch(() => null)),
  ]);
  const byEngine = new Map<Engine, MysqlProgram>();
  for (const program of programs) if (program !== null && !byEngine.has(program.engine)) byEngine.set(program.engine, program);
  return byEngine;
}

/** TANDEM_TEST_ENGINES=mariadb, or a list with commas, narrows the engines of the tests. */
export function isWanted(engine: Engine, env: Env = process.env): boolean {
  return env.TANDEM_TEST_ENGINES?.split(',').includes(engine) ?? true;
}

/** Fetches a MySQL into the cache, unless one is there or was named, nobody wants it, or this machine cannot. Never throws for want of it. */
export async function ensureMysqlForTests({ cache, say, env = process.env }: { readonly cache: string; readonly say: Say; readonly env?: Env }): Promise<void> {
  if (env.TANDEM_MYSQLD || !isWanted('mysql', env) || (await databaseEngines(cache, env)).has('mysql')) return;
  if (isExecutable(GET_MYSQL) && onPath('apt-get', env) !== null) await fetchMysql({ tool: GET_MYSQL, cache, say });
}

/** Runs `tool DIR`; tells whether a server that runs stands in the cache now. */
export async function fetchMysql({ tool, cache, say }: { readonly tool: string; readonly cache: string; readonly say: Say }): Promise<boolean> {
  const dir = cachedMysql(cache);
  say('fetching a real MySQL, so that the tests run on both engines (once; 330 MB in the cache)');
  await rm(dir, { recursive: true, force: true }); // the tool would take what an earlier one left there for a server
  // timeout(1) ends the tool's children too, which would keep its output open.
  const { status, output } = await run('timeout', ['-k', '5', String(FETCH_DEADLINE_S), tool, dir], { deadlineMs: (FETCH_DEADLINE_S + 10) * 1_000 });
  const why = status === 0 ? await identifyMysql(path.join(dir, 'mysqld')).then(() => null, (e: Error) => e.message) : lastLine(output) || `exit ${status}`;
  if (why === null) return true;
  await rm(dir, { recursive: true, force: true });
  say(`no real MySQL to be had, the tests go on without: ${why}`);
  return false;
}

function cachedMysql(cache: string): string {
  return path.join(cache, 'mysql');
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)!.trim();
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
