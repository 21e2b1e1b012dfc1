/**
 * First data of a database server: a freshly initialised directory, made once per engine and version, then copied.
 *
 * Invariant: a data directory appears under its name only when complete (made aside, then renamed). The template has no
 * identity: MySQL's server uuid and keys are left out, each copy makes its own at first start.
 * MariaDB is initialised from its own SQL files through --bootstrap, because the script for it needs programs of other packages.
 */
import { spawn } from 'node:child_process';
import { constants, existsSync, realpathSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { TandemError, isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { PRIVATE_DIR, writeAtomic } from './files.ts';
import type { MysqlProgram } from './mysql-program.ts';

const INITIALISE_DEADLINE_MS = 120_000;
const OUTPUT_CHARS_MAX = 4_000;
/** Says which engine wrote a data directory; lies beside it, not in it. */
const ENGINE_FILE = 'engine';

/** In the order in which they build on each other; the names carry mysql_ or, in newer releases, mariadb_. */
const MARIADB_SCRIPTS = ['system_tables.sql', 'performance_tables.sql', 'system_tables_data.sql', 'sys_schema.sql'];

/** Makes `<dir>/data` from the template unless it is there. Throws config-invalid when another engine wrote what is there. */
export async function prepareMysqlData(program: MysqlProgram, dir: string, cache: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: PRIVATE_DIR });
  const data = path.join(dir, 'data');
  const engineFile = path.join(dir, ENGINE_FILE);
  if (existsSync(data)) {
    const writer = (await readFile(engineFile, 'utf8')).trim();
    if (writer === program.engine) return;
    throw new TandemError('config-invalid',
      `${data} was written by ${writer}, and ${program.mysqld} is ${program.engine}: neither reads the other's files. `
      + 'Point TANDEM_MYSQLD at the engine that wrote them, or choose another TANDEM_STATE.');
  }
  const template = await dataTemplate(program, cache);
  const draft = await mkdtemp(path.join(dir, 'draft-'));
  await cp(template, draft, { recursive: true, mode: constants.COPYFILE_FICLONE });
  await writeAtomic(engineFile, `${program.engine}\n`);
  await rename(draft, data);
}

/** The directory to copy from; made when missing. Two makers at once are safe: the first rename wins. */
async function dataTemplate(program: MysqlProgram, cache: string): Promise<string> {
  const template = path.join(cache, 'datadirs', `${program.engine}-${program.version}`);
  if (existsSync(template)) return template;
  await mkdir(path.dirname(template), { recursive: true, mode: PRIVATE_DIR });
  const draft = await mkdtemp(`${template}.draft-`);
  // A server that starts clears its tmpdir of temporary tables, those of another one that is at work in there included.
  const temporary = await mkdtemp(`${template}.tmp-`);
  try {
    if (program.engine === 'mariadb') await initialiseMariadb(program, draft, temporary);
    else await initialiseMysql(program, draft, temporary);
    await rename(draft, template);
  } catch (e) {
    await rm(draft, { recursive: true, force: true });
    if (isTandemError(e) || !existsSync(template)) throw e;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return template;
}

async function initialiseMysql({ mysqld }: MysqlProgram, data: string, temporary: string): Promise<void> {
  await runOnce(mysqld, ['--no-defaults', '--initialize-insecure', `--datadir=${data}`, `--tmpdir=${temporary}`, ...asRoot(), '--innodb-redo-log-capacity=16M'], '');
  for (const name of await readdir(data)) {
    if (name === 'auto.cnf' || name.endsWith('.pem')) await rm(path.join(data, name));
  }
}

async function initialiseMariadb({ mysqld }: MysqlProgram, data: string, temporary: string): Promise<void> {
  const share = mariadbShare(mysqld);
  const prefix = existsSync(path.join(share, `mariadb_${MARIADB_SCRIPTS[0]}`)) ? 'mariadb_' : 'mysql_';
  const scripts = await Promise.all(MARIADB_SCRIPTS.map((name) => readFile(path.join(share, prefix + name), 'utf8')));
  // One statement a line at the start: --bootstrap reads lines. The variables are those the scripts ask for.
  const head = 'CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\n';
  const args = ['--no-defaults', '--bootstrap', `--datadir=${data}`, `--tmpdir=${temporary}`, ...asRoot(), `--lc-messages-dir=${share}`,
    '--innodb-log-file-size=16M', '--innodb-buffer-pool-size=32M', '--enforce-storage-engine=', '--max-allowed-packet=8M', '--log-warnings=0'];
  await runOnce(mysqld, args, head + scripts.join('\n'));
}

/** Beside the binary, wherever a package or an archive puts it. */
function mariadbShare(mysqld: string): string {
  const prefix = path.dirname(path.dirname(realpathSync(mysqld)));
  const candidates = ['share/mysql', 'share/mariadb', 'share'].map((name) => path.join(prefix, name));
  const found = candidates.find((dir) => ['mysql_', 'mariadb_'].some((p) => existsSync(path.join(dir, p + MARIADB_SCRIPTS[0]))));
  if (found === undefined) {
    throw new TandemError('missing-program', `${mysqld} is MariaDB, but its SQL files are in none of ${candidates.join(', ')}: reinstall mariadb-server-core`);
  }
  return found;
}

/** Both servers refuse to run as root unless told. */
export function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}

function runOnce(command: string, args: readonly string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'], timeout: INITIALISE_DEADLINE_MS, killSignal: 'SIGKILL' });
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
    });
    const fail = (cause?: unknown): void => {
      reject(new TandemError('db-failed', `${command} could not initialise a data directory: ${output.trim()}`, { cause }));
    };
    child.on('error', fail);
    child.on('close', (status) => (status === 0 ? resolve() : fail()));
    child.stdin.on('error', () => {}); // the exit status tells more than a broken pipe
    child.stdin.end(input);
  });
}
