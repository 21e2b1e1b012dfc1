/**
 * Makes sure that every program of the local stack is there: finds it, or says what is missing, then installs it.
 *
 * Invariant: programs, not services. Redis comes as the tools package (its redis-check-rdb is the server, by another name),
 * etcd is unpacked into the cache without being installed, MariaDB is the core package without init scripts.
 * Where nothing may be installed, one line names everything that is missing at once.
 */
import { mkdir, symlink, rm } from 'node:fs/promises';
import path from 'node:path';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Say } from '../console.ts';
import { Apt } from './apt.ts';
import { fetchKafkaJars } from './kafka-jars.ts';
import {
  JAVA_MAJOR_MIN, KAFKA_VERSION, cachedEtcd, cachedRedis, locateChromium, locateEtcd, locateJava, locateKafkaJars, locateMysql, locateRedis, onPath,
} from './locate.ts';
import type { Env, Programs } from './locate.ts';
import { run } from './run.ts';

const REDIS_MAJOR_MIN = 7;
const VERSION_DEADLINE_MS = 10_000;

export interface EnsureOptions {
  readonly cache: string;
  readonly say: Say;
  readonly env?: Env;
  /** Also a browser: the tests look at the SLA page with one. */
  readonly browser?: true;
}

interface Need {
  readonly what: string;
  readonly isThere: () => Promise<boolean>;
  /** Package names to choose from, best first. */
  readonly packages: (apt: Apt) => Promise<readonly string[]>;
}

/** Resolves with paths of programs that run. Throws missing-program where one is absent and cannot be had. */
export async function ensurePrograms(options: EnsureOptions): Promise<Programs> {
  const { cache, say, env = process.env } = options;
  await mkdir(cache, { recursive: true });
  const apt = new Apt(say);
  const missing = await absent(needs(options));
  if (missing.length > 0) await installAll(missing, apt, say);
  await linkRedis(cache, env);
  await unpackEtcd(cache, apt, { env, say });
  const java = await locateJava(env);
  if (java !== null && locateKafkaJars(cache) === null) {
    const mvn = onPath('mvn', env);
    if (mvn !== null) {
      say(`fetching Kafka ${KAFKA_VERSION} from Maven Central (about 45 MB)`);
      await fetchKafkaJars({ mvn, java, cache });
    }
  }
  return allPresent(cache, env);
}

async function allPresent(cache: string, env: Env): Promise<Programs> {
  const [mysql, java] = await Promise.all([locateMysql(env), locateJava(env)]);
  const [redis, etcd, kafkaJars] = [locateRedis(cache, env), locateEtcd(cache, env), locateKafkaJars(cache)];
  if (mysql && java && redis && etcd && kafkaJars) return { mysql, java, redis, etcd, kafkaJars };
  const names = Object.entries({ 'MariaDB or MySQL': mysql, java, 'redis-server': redis, etcd, 'Kafka jars': kafkaJars });
  const absentNames = names.filter(([, program]) => program === null).map(([name]) => name);
  throw new TandemError('missing-program', `installed, yet not found: ${absentNames.join(', ')}`);
}

function needs({ cache, env = process.env, browser }: EnsureOptions): Need[] {
  const list: Need[] = [
    {
      what: 'MariaDB 10.11+ (mariadbd), or MySQL through TANDEM_MYSQLD',
      isThere: async () => (await locateMysql(env)) !== null,
      packages: async () => ['mariadb-server-core', 'mariadb-server-core-10.11'],
    },
    {
      what: 'Redis 7 (redis-server)',
      isThere: async () => locateRedis(cache, env) !== null || onPath('redis-check-rdb', env) !== null,
      packages: async () => ['redis-tools'],
    },
    {
      what: `Java ${JAVA_MAJOR_MIN}+ (java)`,
      isThere: async () => (await locateJava(env)) !== null,
      packages: async (apt) => javaPackages(await apt.search('^openjdk-[0-9]+-jre-headless$')),
    },
  ];
  if (locateKafkaJars(cache) === null) {
    list.push({ what: 'Maven (mvn)', isThere: async () => onPath('mvn', env) !== null, packages: async () => ['maven'] });
  }
  if (browser) {
    list.push({
      what: 'Chromium (chromium, or TANDEM_CHROMIUM)',
      isThere: async () => locateChromium(env) !== null,
      packages: async () => ['chromium', 'chromium-browser'],
    });
  }
  return list;
}

/** 17 where it is offered, else the newest that is new enough. */
export function javaPackages(offered: readonly string[]): string[] {
  const newest = offered.filter((name) => javaMajorOf(name) >= JAVA_MAJOR_MIN).toSorted((a, b) => javaMajorOf(b) - javaMajorOf(a));
  return [`openjdk-${JAVA_MAJOR_MIN}-jre-headless`, ...newest, 'default-jre-headless'];
}

function javaMajorOf(packageName: string): number {
  return Number(/\d+/.exec(packageName)?.[0] ?? 0);
}

async function absent(list: readonly Need[]): Promise<Need[]> {
  const there = await Promise.all(list.map((need) => need.isThere()));
  return list.filter((_, i) => !there[i]);
}

async function installAll(missing: readonly Need[], apt: Apt, say: Say): Promise<void> {
  const programs = missing.map((need) => need.what).join('; ');
  if (!Apt.isHere()) {
    throw new TandemError('missing-program', `install these and put them on PATH, then run this again (there is no apt here to do it): ${programs}; etcd 3.4+ (etcd)`);
  }
  const chosen = await Promise.all(missing.map(async (need) => {
    const names = await need.packages(apt);
    return (await apt.firstOffered(names)) ?? names[0] ?? need.what;
  }));
  const packages = [...new Set(chosen)];
  if ((await apt.rights()) === null) {
    throw new TandemError('missing-program',
      `not root, and sudo wants a password: run  sudo apt-get install --no-install-recommends ${packages.join(' ')}  and then this again`);
  }
  say(`missing: ${programs}`);
  say(`installing with apt: ${packages.join(' ')} (programs only: no service is installed or started)`);
  await apt.install(packages);
}

/** redis-check-rdb and redis-server are one binary; it serves when called by the second name. */
async function linkRedis(cache: string, env: Env): Promise<void> {
  if (locateRedis(cache, env) !== null) return;
  const binary = onPath('redis-check-rdb', env);
  if (binary === null) return;
  const link = cachedRedis(cache);
  await mkdir(path.dirname(link), { recursive: true });
  await rm(link, { force: true });
  await symlink(binary, link);
  const { output } = await run(link, ['--version'], { deadlineMs: VERSION_DEADLINE_MS });
  const major = Number(/Redis server v=(\d+)/.exec(output)?.[1] ?? 0);
  if (major >= REDIS_MAJOR_MIN) return;
  await rm(link, { force: true });
  throw new TandemError('missing-program', `${binary} is not the server of Redis ${REDIS_MAJOR_MIN}+ (it says: ${output.slice(0, 80)}): install redis-server ${REDIS_MAJOR_MIN} or newer`);
}

async function unpackEtcd(cache: string, apt: Apt, { env, say }: { env: Env; say: Say }): Promise<void> {
  if (locateEtcd(cache, env) !== null) return;
  if (!Apt.isHere()) throw new TandemError('missing-program', 'install etcd 3.4+ (etcd) and put it on PATH, then run this again');
  say('fetching etcd with apt-get download into the cache (unpacked there, not installed: no service appears)');
  await apt.unpack('etcd-server', path.resolve(path.dirname(cachedEtcd(cache)), '../..'));
}
