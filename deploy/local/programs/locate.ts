/**
 * Finds the programs the local stack runs on: named by the environment, on PATH, or in the cache. It installs nothing.
 *
 * Invariant: what is returned has been run once (or, for jars, is complete); absence is null, never a guess.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, globSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { identifyMysql } from '../servers/mysql-program.ts';
import type { MysqlProgram } from '../servers/mysql-program.ts';

export const KAFKA_VERSION = '4.2.0';
export const JAVA_MAJOR_MIN = 17;
const VERSION_DEADLINE_MS = 20_000;
/** Where servers are installed although they are not on an ordinary user's PATH. */
const SERVER_DIRS = ['/usr/local/sbin', '/usr/sbin', '/usr/libexec'];

export type Env = Readonly<Record<string, string | undefined>>;

export interface Programs {
  readonly mysql: MysqlProgram;
  readonly redis: string;
  readonly etcd: string;
  readonly java: string;
  readonly kafkaJars: string;
}

/** Absolute path of an executable on PATH or in the system's server directories. */
export function onPath(name: string, env: Env = process.env): string | null {
  const dirs = [...(env.PATH ?? '').split(path.delimiter), ...SERVER_DIRS].filter((dir) => path.isAbsolute(dir));
  return dirs.map((dir) => path.join(dir, name)).find(isExecutable) ?? null;
}

/** TANDEM_MYSQLD first: whoever sets it means it, so a wrong one throws. Then MySQL's mysqld on PATH, then MariaDB. */
export async function locateMysql(env: Env = process.env): Promise<MysqlProgram | null> {
  if (env.TANDEM_MYSQLD) return identifyMysql(env.TANDEM_MYSQLD);
  const found = onPath('mysqld', env) ?? onPath('mariadbd', env);
  return found === null ? null : identifyMysql(found);
}

/** redis-server, or the link to redis-check-rdb that the installer makes: one binary that acts by its name. */
export function locateRedis(cache: string, env: Env = process.env): string | null {
  return onPath('redis-server', env) ?? executable(cachedRedis(cache));
}

export function cachedRedis(cache: string): string {
  return path.join(cache, 'redis', 'redis-server');
}

export function locateEtcd(cache: string, env: Env = process.env): string | null {
  return onPath('etcd', env) ?? executable(cachedEtcd(cache));
}

export function cachedEtcd(cache: string): string {
  return path.join(cache, 'etcd', 'usr', 'bin', 'etcd');
}

/** JAVA_HOME, PATH, then every installed JVM, newest first: an old `java` on PATH often hides a newer one. */
export async function locateJava(env: Env = process.env): Promise<string | null> {
  const named = env.JAVA_HOME ? path.join(env.JAVA_HOME, 'bin', 'java') : null;
  const installed = globSync('/usr/lib/jvm/*/bin/java').toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const candidates = [named, onPath('java', env), ...installed].filter((file): file is string => file !== null && isExecutable(file));
  for (const java of new Set(candidates)) {
    if ((await javaMajor(java)) >= JAVA_MAJOR_MIN) return java;
  }
  return null;
}

/** The jars are copied aside and renamed, so a directory of this name is complete. */
export function locateKafkaJars(cache: string): string | null {
  const dir = cachedKafkaJars(cache);
  return existsSync(dir) ? dir : null;
}

export function cachedKafkaJars(cache: string): string {
  return path.join(cache, `kafka-${KAFKA_VERSION}`);
}

export function locateChromium(env: Env = process.env): string | null {
  const named = env.TANDEM_CHROMIUM;
  if (named) return executable(named);
  for (const name of ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']) {
    const found = onPath(name, env);
    if (found !== null) return found;
  }
  return null;
}

async function javaMajor(java: string): Promise<number> {
  try {
    const { stdout, stderr } = await promisify(execFile)(java, ['-version'], { timeout: VERSION_DEADLINE_MS });
    // "17.0.15", "21"; before Java 9 it was "1.8.0".
    return Number(/version "(\d+)/.exec(stdout + stderr)?.[1] ?? 0);
  } catch {
    return 0; // a JVM that does not start is as good as none
  }
}

function executable(file: string): string | null {
  return isExecutable(file) ? file : null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
