/** The plan of a local deployment: processes, order, secrets, addresses, and what it refuses. Nothing is started. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Plan } from '../../deploy/local/plan.ts';
import { refuseMovedEtcd, refuseOtherEngine } from '../../deploy/local/plan.ts';
import { assignPorts } from '../../deploy/local/ports.ts';
import { ensureSecrets } from '../../deploy/local/secrets.ts';
import type { Secrets } from '../../deploy/local/secrets.ts';
import { newClusterId } from '../../deploy/local/servers/kafka.ts';
import { stackOf, topologyOf } from '../../deploy/local/stack.ts';
import { stateDir } from '../../deploy/local/state-dir.ts';
import type { ProcessSpec } from '../../deploy/local/supervisor/process-spec.ts';
import { checkSpecs } from '../../deploy/local/supervisor/process-spec.ts';

const REGIONS = ['east', 'west'];
const PLAN: Plan = {
  regions: 'east=1,west=2',
  ports: assignPorts(REGIONS, {}),
  programs: { mysql: { mysqld: '/m/mysqld', engine: 'mariadb', version: '10.11.1' }, redis: '/r', etcd: '/e', java: '/j', kafkaJars: '/k' },
};
const DIRS = stateDir({ TANDEM_STATE: '/state' });

let scratch: string;
let secrets: Secrets;
let stack: ProcessSpec[];
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'tandem-stack-'));
  secrets = await ensureSecrets(path.join(scratch, 'secrets.json'), REGIONS);
  stack = stackOf({ dirs: DIRS, plan: PLAN, secrets });
});
afterAll(() => rm(scratch, { recursive: true }));

/** Every generated secret, and not the public things that lie beside them. */
function allSecrets(): string[] {
  const ofRegions = Object.values(secrets.regions).flatMap(({ mysqlRoot, mysqlUsers, redis }) => [mysqlRoot, redis, ...Object.values(mysqlUsers)]);
  return [...ofRegions, secrets.jwt.privateJwk.d as string];
}

function envOf(name: string): Readonly<Record<string, string>> {
  return stack.find((spec) => spec.name === name)?.env ?? {};
}

describe('the stack', () => {
  test('is a pure function: the same input gives the same processes, and nothing appears on disk', async () => {
    expect(JSON.stringify(stackOf({ dirs: DIRS, plan: PLAN, secrets }))).toEqual(JSON.stringify(stack));
    await expect(stat('/state')).rejects.toThrow(/ENOENT/);
  });

  test('starts in an order without gaps, under unique names', () => {
    checkSpecs(stack);
    expect(stack.map(({ name }) => name)).toEqual(expect.arrayContaining(
      ['dispatch-east-1', 'dispatch-east-2', 'mysql-east', 'etcd-witness', 'kafka-west', 'capture-west', 'router-east'],
    ));
  });

  test('puts no secret into a command line, where every user of the machine could read it', () => {
    const lines = stack.map(({ command, args }) => [command, ...args].join(' '));
    for (const secret of allSecrets()) expect(lines.filter((line) => line.includes(secret))).toEqual([]);
  });

  test('gives each service its own database user and never the key that signs tokens', () => {
    const services = stack.filter(({ kind }) => kind === 'service');
    expect(services.find(({ name }) => name === 'payment-west')?.env.TANDEM_MYSQL_USER).toBe('tandem_payment');
    for (const { env } of services) {
      const values = Object.values(env).map((value) => value + Buffer.from(value, 'base64url').toString());
      expect(values.some((value) => value.includes(secrets.jwt.privateJwk.d as string))).toBe(false);
      expect(values.some((value) => value.includes(secrets.regions.east?.mysqlRoot as string))).toBe(false);
    }
  });

  test('lets apply read the peer, and the router know both dispatchers and the peer', () => {
    expect(envOf('apply-east').TANDEM_PEER_KAFKA).toBe(envOf('capture-west').TANDEM_KAFKA);
    expect(envOf('router-west').TANDEM_PEER_ROUTER).toBe('http://127.0.0.1:17100');
    expect(envOf('router-east').TANDEM_UPSTREAMS).toBe('dispatch=127.0.0.1:17120,127.0.0.1:17122;location=127.0.0.1:17112;payment=127.0.0.1:17114');
    expect(envOf('router-east').TANDEM_ETCD?.split(',')[0]).toBe('127.0.0.1:17001');
    expect(envOf('router-west').TANDEM_ETCD?.split(',')[0]).toBe('127.0.0.1:17003');
  });

  test('listens on loopback alone', () => {
    const text = JSON.stringify(stack.map(({ args, env }) => ({ args, env })));
    expect(text).not.toContain('0.0.0.0');
  });

  test('shows the commands a whole topology', () => {
    const topology = topologyOf({ dirs: DIRS, plan: PLAN, secrets });
    expect(topology.regions.west).toMatchObject({ origin: 2, endpoints: { router: 'http://127.0.0.1:17200', mysql: { user: 'tandem_operator', port: 17_202 } } });
    expect(topology.etcd).toHaveLength(3);
  });
});

test('secrets are made once, kept private, and completed without touching those that are there', async () => {
  const file = path.join(scratch, 'secrets.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await ensureSecrets(file, REGIONS)).toEqual(secrets);
  const more = await ensureSecrets(file, [...REGIONS, 'north']);
  expect(more.regions.east).toEqual(secrets.regions.east);
  expect(more.regions.north?.redis).toMatch(/^[\w-]{20,}$/);
});

test('the id of a Kafka cluster never looks like an option to Kafka\'s tools', () => {
  // One in 64 would: that none of 5,000 does is no luck.
  for (let each = 0; each < 5_000; each += 1) expect(newClusterId()).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
});

test('a plan that moves an etcd port away from its data is refused, naming it', () => {
  const moved: Plan = { ...PLAN, ports: assignPorts(REGIONS, { TANDEM_PORT_WEST_ETCD_PEER: '9999' }) };
  expect(() => refuseMovedEtcd(moved, PLAN)).toThrow(/TANDEM_PORT_WEST_ETCD_PEER was 17004, is now 9999/);
  refuseMovedEtcd({ ...PLAN, ports: assignPorts(REGIONS, { TANDEM_PORT_EAST_ROUTER: '9999' }) }, PLAN);
});

test('a plan with another database engine than that of the data is refused', () => {
  const other: Plan = { ...PLAN, programs: { ...PLAN.programs, mysql: { mysqld: '/n/mysqld', engine: 'mysql', version: '9.7.4' } } };
  expect(() => refuseOtherEngine(other, PLAN)).toThrow(/written by mariadb .*\/n\/mysqld is mysql/);
  refuseOtherEngine(PLAN, PLAN);
  refuseOtherEngine(other, null);
});

test('a socket path too long for the kernel moves to a short private place, the same each time', () => {
  const deep = stateDir({ TANDEM_STATE: `/${'deep/'.repeat(30)}` });
  expect(Buffer.byteLength(deep.socket('mysql-east'))).toBeLessThan(100);
  expect(deep.socket('mysql-east')).toBe(stateDir({ TANDEM_STATE: `/${'deep/'.repeat(30)}` }).socket('mysql-east'));
  expect(DIRS.socket('mysql-east')).toBe('/state/run/mysql-east.sock');
});
