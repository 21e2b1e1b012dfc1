/**
 * Which database engine a mysqld binary is: MariaDB's and MySQL's servers go by the same name and take different arguments.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

const VERSION_DEADLINE_MS = 20_000;

export type Engine = 'mariadb' | 'mysql';

export interface MysqlProgram {
  readonly mysqld: string;
  readonly engine: Engine;
  /** For example 10.11.14 or 9.7.4. */
  readonly version: string;
}

/** Asks the binary itself. Throws missing-program when it does not run or does not say what it is. */
export async function identifyMysql(mysqld: string): Promise<MysqlProgram> {
  let text: string;
  try {
    const { stdout } = await promisify(execFile)(mysqld, ['--no-defaults', '--version'], { timeout: VERSION_DEADLINE_MS });
    text = stdout.trim();
  } catch (cause) {
    throw new TandemError('missing-program', `${mysqld} does not run; it should be the server of MariaDB or MySQL`, { cause });
  }
  const version = /Ver\s+(\d+\.\d+\.\d+)/.exec(text)?.[1];
  if (version === undefined) throw new TandemError('missing-program', `${mysqld} --version says nothing known: ${text.slice(0, 200)}`);
  return { mysqld, engine: text.includes('MariaDB') ? 'mariadb' : 'mysql', version };
}
