/**
 * What can be known of deploy/compose without Docker: that it would start what the local stack starts, with an environment
 * that each process accepts, and that it neither publishes nor holds what it must not.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { envOf } from '../../../deploy/compose/make-env.ts';
import { assignPorts } from '../../../deploy/local/ports.ts';
import { ensureSecrets } from '../../../deploy/local/secrets.ts';
import { mysqlServer } from '../../../deploy/local/servers/mysql.ts';
import { stackOf } from '../../../deploy/local/stack.ts';
import { stateDir } from '../../../deploy/local/state-dir.ts';
import { DATABASE_USERS, grantStatements } from '../../../shared/schema/grants.ts';
import { environmentOf, mainOf, readCompose, wantedVariables } from './compose-file.ts';
import { checkConfig } from './config-reader.ts';
import { isFile, readEnvFile, readText } from './repo-files.ts';

const example = readEnvFile('deploy/compose/.env.example');
const compose = readCompose(example);
const services = Object.entries(compose.services);
const ours = services.flatMap(([name, service]) => {
  const main = mainOf(service);
  return main === null ? [] : [{ name, service, main, env: environmentOf(service) }];
});
const processes = ours.filter(({ main }) => main.endsWith('/main.ts'));

test('each of our processes accepts its environment, and is given nothing that it does not read', async () => {
  expect(processes.length).toBe(18);
  const problems: string[] = [];
  for (const { name, main, env } of processes) {
    const { complaint, unread, config } = await checkConfig(main, env);
    if (complaint !== '') problems.push(`${name}: ${complaint}`);
    if (unread.length > 0) problems.push(`${name} does not read ${unread.join(', ')}`);
    if (config !== null && config['instance'] !== name) problems.push(`${name} calls itself ${String(config['instance'])}`);
  }
  expect(problems).toEqual([]);
});

test('every program that a container runs is there', () => {
  expect(ours.map(({ main }) => main).filter((main) => !isFile(main))).toEqual([]);
});

test('the processes are those of the local stack, the one-shots included', async () => {
  const secrets = await freshSecrets();
  const plan = { regions: 'east=1,west=2', ports: assignPorts(['east', 'west'], {}), programs: PROGRAMS };
  const local = stackOf({ dirs: stateDir({}), plan, secrets });
  const named = services.filter(([, service]) => service.profiles === undefined).map(([name]) => name.replace('mariadb', 'mysql'));
  expect(named.toSorted()).toEqual(local.map(({ name }) => name).toSorted());
  const localMains = Object.fromEntries(local.map(({ name, args }) => [name, args.find((arg) => arg.endsWith('.ts'))?.replace(/.*?\/(?=(services|cdc|deploy)\/)/, '')]));
  for (const { name, main } of ours) expect(main, name).toBe(localMains[name]);
});

test('who talks to whom is there: hosts are services of the file, and ports are those they listen on', () => {
  const listens: Record<string, readonly string[]> = { mariadb: ['3306'], redis: ['6379'], kafka: ['9092'], etcd: ['2379'] };
  const problems: string[] = [];
  for (const { name, env } of ours) {
    for (const [key, value] of Object.entries(env)) {
      for (const [, host = '', port = ''] of value.matchAll(/(?<=^|[=,@/])([a-z][a-z0-9-]+):(\d+)/g)) {
        const known = listens[host.split('-')[0]!] ?? ['8080', '9090'];
        if (compose.services[host] === undefined || !known.includes(port)) problems.push(`${name}: ${key} names ${host}:${port}`);
      }
    }
    if (env['TANDEM_MYSQL_HOST'] !== undefined && compose.services[env['TANDEM_MYSQL_HOST']] === undefined) problems.push(`${name}: no database`);
  }
  expect(problems).toEqual([]);
});

test('ops watches every process of its region', () => {
  for (const region of ['east', 'west']) {
    const env = environmentOf(compose.services[`ops-${region}`]!);
    const targets = env['TANDEM_TARGETS']!.split(/; ?/).map((entry) => entry.split('=')[0]);
    const there = processes.filter(({ env: { TANDEM_REGION } }) => TANDEM_REGION === region).map(({ name }) => name);
    expect(targets.toSorted()).toEqual(there.toSorted());
  }
});

test('every image is pinned, and everything of ours runs the one image', () => {
  for (const [name, { image }] of services) expect(image, name).toMatch(/^[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z0-9]+)?$/);
  expect([...new Set(ours.map(({ service }) => service.image))]).toHaveLength(1);
  expect(readText('deploy/compose/Dockerfile')).toMatch(/^FROM node:24\.\d+\.\d+-\w+-slim$/m);
});

test('nothing is published beyond loopback, and the front doors stand where the local stack has them', () => {
  const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => ({ name, port })));
  expect(published.filter(({ port }) => !/^127\.0\.0\.1:\d+:\d+$/.test(port))).toEqual([]);
  const { regions } = assignPorts(['east', 'west'], {});
  for (const [region, { router, ops, mysql }] of Object.entries(regions)) {
    expect(compose.services[`router-${region}`]?.ports).toEqual([`127.0.0.1:${router}:8080`]);
    expect(compose.services[`ops-${region}`]?.ports).toEqual([`127.0.0.1:${ops}:8080`]);
    expect(compose.services[`mariadb-${region}`]?.ports).toEqual([`127.0.0.1:${mysql}:3306`]);
  }
});

test('the file holds no secret: each comes from a variable', () => {
  const raw = readText('deploy/compose/compose.yaml');
  const lines = raw.split('\n').filter((line) => /(PASSWORD|_KEY|AUTH|TOKEN|requirepass)["']?:? /.test(line) && !/^\s*#/.test(line));
  const open = lines.filter((line) => !/\$\{[A-Z_]+:\?\}/.test(line)).map((line) => line.trim());
  // The name that keeps etcd clusters apart, no secret.
  expect(open).toEqual(['ETCD_INITIAL_CLUSTER_TOKEN: tandem']);
  expect(lines.length).toBeGreaterThan(30);
  expect(raw).not.toMatch(/redis:\/\/:[^$]/);
});

test('.env.example names exactly the variables that the file wants, and make-env.ts makes them', async () => {
  expect(Object.keys(example).toSorted()).toEqual([...wantedVariables()].toSorted());
  const made = envOf(await freshSecrets());
  expect(Object.keys(made).toSorted()).toEqual(Object.keys(example).toSorted());
  const real = readCompose(made);
  for (const [name, service] of Object.entries(real.services)) {
    const main = mainOf(service);
    if (main?.endsWith('/main.ts')) expect((await checkConfig(main, environmentOf(service))).complaint, name).toBe('');
  }
});

test('the bootstrap gets a password for every database user, the same that the service is given', () => {
  for (const [index, region] of ['east', 'west'].entries()) {
    const content = JSON.parse(compose.configs[`database-users-${region}`]!.content) as { regions: Record<string, { mysqlUsers: Record<string, string> }> };
    const users = content.regions[region]!.mysqlUsers;
    expect(Object.keys(users).toSorted()).toEqual(DATABASE_USERS.toSorted());
    for (const user of DATABASE_USERS) expect(() => grantStatements(user, users[user]!)).not.toThrow();
    for (const { env } of processes.filter(({ env: { TANDEM_REGION } }) => TANDEM_REGION === region)) {
      if (env['TANDEM_MYSQL_USER'] !== undefined) expect(env['TANDEM_MYSQL_PASSWORD']).toBe(users[env['TANDEM_MYSQL_USER']]);
    }
    expect(compose.services[`mariadb-${region}`]!.command).toContain(`--server-id=${index + 1}`);
  }
});

test('the databases run with the settings of the local stack on which replication rests', () => {
  for (const [index, region] of ['east', 'west'].entries()) {
    const { args } = mysqlServer({
      program: PROGRAMS.mysql, dir: '/d', cache: '/c', port: 1, socket: '/s', serverId: index + 1, rootPassword: 'p', database: 'tandem',
    });
    const wanted = args.filter((arg) => /^--(server-id|gtid|log-bin|log-slave|binlog|sync-binlog|innodb-flush-log|default-time-zone|character-set)/.test(arg));
    expect(wanted.length).toBeGreaterThan(10);
    expect(compose.services[`mariadb-${region}`]!.command).toEqual(expect.arrayContaining(wanted));
  }
});

test('what the file refers to is in it', () => {
  const problems: string[] = [];
  for (const [name, { depends_on: after = {}, volumes = [], configs = [], read_only: isReadOnly }] of services) {
    for (const other of Array.isArray(after) ? after : Object.keys(after)) if (compose.services[other] === undefined) problems.push(`${name} waits for ${other}`);
    for (const { source } of configs) if (compose.configs[source] === undefined) problems.push(`${name} wants config ${source}`);
    if (isReadOnly && configs.length > 0) problems.push(`${name}: Compose cannot copy a config into a read-only container`);
    for (const volume of volumes) {
      const source = volume.split(':')[0]!;
      const isThere = source.startsWith('.') ? isFile(path.join('deploy/compose', source)) : Object.hasOwn(compose.volumes, source);
      if (!isThere) problems.push(`${name} mounts ${source}`);
    }
  }
  expect(problems).toEqual([]);
  for (const { service: { build } } of ours) {
    if (build !== undefined) expect(isFile(build.dockerfile) && path.join('deploy/compose', build.context) === '.').toBe(true);
  }
});

test('the image: production packages only, not root, a health check, and nothing but what it copies in its context', () => {
  const dockerfile = readText('deploy/compose/Dockerfile');
  expect(dockerfile).toMatch(/^RUN npm ci --omit=dev/m);
  expect(dockerfile).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
  expect(dockerfile).toMatch(/^HEALTHCHECK /m);
  const copied = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap((match) => match[1]!.split(' '));
  expect(copied.filter((source) => !isFile(source))).toEqual([]);
  const sent = readText('deploy/compose/Dockerfile.dockerignore').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  for (const source of copied) expect(sent, source).toContain(source);
  for (const { main } of ours) expect(copied.some((source) => main.startsWith(`${source}/`)), main).toBe(true);
});

const PROGRAMS = {
  mysql: { engine: 'mariadb', mysqld: '/mariadbd', version: '10.11.0' }, redis: '/r', etcd: '/e', java: '/j', kafkaJars: '/k',
} as unknown as Parameters<typeof stackOf>[0]['plan']['programs'];

async function freshSecrets(): ReturnType<typeof ensureSecrets> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tandem-compose-'));
  try {
    return await ensureSecrets(path.join(folder, 'secrets.json'), ['east', 'west']);
  } finally {
    await rm(folder, { recursive: true });
  }
}
