/**
 * Claims of two dispatch processes over real stores: a ride goes through both over HTTP and gRPC, nudged through Redis;
 * Redis may go away meanwhile; SIGTERM ends them cleanly.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import { seedUnits } from '../../../shared/etcd/units.ts';
import { signToken } from '../../../shared/http/auth.ts';
import { sleep, withDeadline } from '../../../shared/kernel/deadline.ts';
import { Regions } from '../../../shared/kernel/region.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import { openRpcClient } from '../../../shared/rpc/rpc-client.ts';
import { startRpcServer } from '../../../shared/rpc/rpc-server.ts';
import type { RpcServer } from '../../../shared/rpc/rpc-server.ts';
import { createLog } from '../../../shared/telemetry/log.ts';
import { unitOfAccount, unitOfPlace } from '../../../shared/unit/unit.ts';
import { DISPATCH_SERVICE } from '../../../services/dispatch/rpc/driver-events-service.ts';
import type { DispatchMethods } from '../../../services/dispatch/rpc/driver-events-service.ts';
import { startEtcd } from '../../harness/etcd.ts';
import type { TestEtcd } from '../../harness/etcd.ts';
import { freePort } from '../../harness/free-port.ts';
import { startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { startRedis } from '../../harness/redis.ts';
import type { TestRedis } from '../../harness/redis.ts';
import { at } from './world.ts';

// Whole processes start here, on machines that may have much else to do.
vi.setConfig({ testTimeout: 90_000 });

const LOOPBACK = '127.0.0.1';
const REGIONS = 'east=1,west=2';
const log = createLog({ name: 'test', level: 'silent', region: 'east', instance: 'test' });
const { publicKey, privateKey } = generateKeyPairSync('ed25519');

type Instance = { child: ChildProcess; http: number; grpc: number; output: string };

let etcd: TestEtcd;
let mysql: TestMysql;
let redis: TestRedis;
let peers: RpcServer;
let instances: Instance[];
let nextId = 1n;

/** An account whose unit is at home in the first region: that of the even units. */
function someone(): bigint {
  do nextId += 1n;
  while (unitOfAccount(nextId) % 2 !== 0);
  return nextId;
}

const pickup = Array.from({ length: 60 }, (_, north) => at(north, 0)).find((place) => unitOfPlace(place) % 2 === 0) ?? at(0, 0);
const dropoff = { lat: pickup.lat + 0.01, lon: pickup.lon };
const driverId = someone();

beforeAll(async () => {
  [etcd, mysql, redis] = await Promise.all([startEtcd(), startMysql({ grants: true }), startRedis()]);
  const client = openEtcd({ endpoints: etcd.endpoints, log });
  await seedUnits(client, Regions.parse(REGIONS));
  await client.close();
  peers = await startPeers();
  instances = await Promise.all([startInstance(1), startInstance(2)]);
  await Promise.all(instances.map(ready));
});

afterAll(async () => {
  for (const { child } of instances ?? []) child.kill('SIGKILL');
  await peers?.stop();
  await Promise.all([etcd?.stop(), mysql?.stop(), redis?.stop()]);
});

test('a ride goes from quote to fare through two instances, and both streams tell of it', async () => {
  const [one, other] = instances as [Instance, Instance];
  const rider = { accountId: someone(), role: 'rider' as const };
  const driver = { accountId: driverId, role: 'driver' as const };
  await call(one, 'PUT', '/v1/driver/shift', driver, { status: 'on', vehicle: { plate: 'T-1', seats: 4 } });
  const leaving = new AbortController();
  const events = followDriver(other, leaving.signal);
  const quote = await call(one, 'POST', '/v1/quotes', rider, { pickup, dropoff });
  expect(quote).toMatchObject({ fare: { amountCents: 700, currency: 'USD' }, breakdown: [{ kind: 'base', amountCents: 700 }] });
  const ride = await call(other, 'POST', '/v1/rides', rider, { quoteId: quote.id });
  const offered = await next(events);
  expect(offered).toMatchObject({ seq: '1', type: 'offer', data: { offer: { rideId: ride.id, fare: quote.fare } } });
  const accepted = await call(other, 'POST', `/v1/driver/offers/${offered.data.offer.id}/accept`, driver);
  expect(await next(events)).toMatchObject({ seq: '2', type: 'route', data: { route: { version: 1 } } });
  const [toPickup, toDropoff] = accepted.route.stops.map((stop: { id: string }) => `/v1/driver/stops/${stop.id}`);
  await call(one, 'POST', `${toPickup}/arrive`, driver);
  await call(other, 'POST', `${toPickup}/board`, driver, { otp: ride.otp });
  await redis.kill9();
  const done = await call(one, 'POST', `${toDropoff}/alight`, driver);
  expect(done.ride.status).toBe('completed');
  expect((await next(events)).seq).toBe('3');
  expect(await next(events)).toMatchObject({ seq: '4', type: 'route', data: { route: { stops: [] } } });
  leaving.abort();
  await redis.restart();
});

test('under pause a peer that stops telling what it has applied stops the writes, and nothing else does', async () => {
  const [one] = instances as [Instance];
  const rider = { accountId: someone(), role: 'rider' as const };
  const root = await openRawConnection(mysql.config, { role: 'test' });
  const client = openEtcd({ endpoints: etcd.endpoints, log });
  const policy = (value: unknown) => client.put('/tandem/config/rpo-guard', JSON.stringify(value));
  /** What the peer, by its heartbeat, has applied of this region: the versions of `behindMs` ago. */
  const peerTells = (behindMs: number) => root.execute(
    `INSERT INTO _heartbeats (id, unit, beat, at, seen_hlc) VALUES (2, 0, 1, NOW(6), ?) ON DUPLICATE KEY UPDATE beat = beat + 1, seen_hlc = VALUES(seen_hlc)`,
    [BigInt(Date.now() - behindMs) << 16n],
  );
  let keys = 0;
  const quote = () => request(one, 'POST', '/v1/quotes', rider, { pickup, dropoff }, `guard-${(keys += 1)}`);
  const until = async (status: number): Promise<Response> => {
    for (;;) {
      const answer = await withDeadline(`a quote answered ${status}`, 20_000, quote);
      if (answer.status === status) return answer;
      await sleep(20);
    }
  };
  try {
    // Frozen ten seconds ago, but by default nothing is refused.
    await peerTells(10_000);
    expect((await quote()).status).toBeLessThan(300);
    await policy({ action: 'pause' });
    const refused = await withDeadline('the refusal', 30_000, () => until(503));
    expect(await refused.json()).toMatchObject({ code: 'rpo-guard', status: 503 });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    // Reads pass; so does the refusal of what is wrong by itself.
    expect((await request(one, 'GET', '/v1/rides/1', rider)).status).toBe(404);
    expect((await request(one, 'POST', '/v1/quotes', rider, { pickup }, 'guard-bad')).status).toBe(400);
    expect(await (await fetch(`http://${LOOPBACK}:${one.http}/metrics`)).text()).toMatch(/tandem_rpo_guard_state\{[^}]*\} 3\n/);
    // The region that is left goes on: by what etcd says of the peer, or by an operator's word.
    await client.put('/tandem/regions/west', JSON.stringify({ state: 'lost' }));
    await withDeadline('writes again, the peer lost', 30_000, () => until(201));
    await client.put('/tandem/regions/west', JSON.stringify({ state: 'active' }));
    await withDeadline('the refusal, the peer back', 30_000, () => until(503));
    await policy({ action: 'pause', override: { who: 'test', why: 'west is rebuilt', until: new Date(Date.now() + 3_600_000).toISOString() } });
    await withDeadline('writes again, by override', 30_000, () => until(201));
    await policy({ action: 'pause' });
    await withDeadline('the refusal, the override gone', 30_000, () => until(503));
    await peerTells(-60_000);
    await withDeadline('writes again, the peer caught up', 30_000, () => until(201));
  } finally {
    await client.delete('/tandem/config/rpo-guard');
    await client.close();
    await root.close();
  }
});

test('SIGTERM ends a process in time and without an error, an open stream or not', async () => {
  const leaving = new AbortController();
  const stream = followDriver(instances[0] as Instance, leaving.signal);
  expect((await next(stream)).seq).toBe('1');
  const codes = await Promise.all(instances.map(async ({ child }) => {
    child.kill('SIGTERM');
    const [code] = (await withDeadline('exit', 15_000, () => once(child, 'exit'))) as [number];
    return code;
  }));
  expect(codes, instances.map(({ output }) => output).join('\n')).toEqual([0, 0]);
  leaving.abort();
});

/** Pricing and location, as their protos have them: one price, one driver, who stands at the pick-up. */
function startPeers(): Promise<RpcServer> {
  const position = { driverId: driverId.toString(), ...pickup, atMs: String(Date.now()) };
  return startRpcServer({
    host: LOOPBACK, port: 0, log,
    services: [
      {
        protoPath: new URL('../../../services/pricing/rpc/pricing.proto', import.meta.url), packageName: 'tandem.pricing.v1', serviceName: 'Pricing',
        handlers: {
          Quote: async ({ durationS }: { durationS: number }) => {
            if (!(durationS > 0)) throw new Error('a quote without duration');
            const lines = [{ kind: 'base', label: 'Base fare', cents: 700 }];
            return { fareCents: 700, currency: 'USD', fareCardVersion: 1, lines, driverCents: 500, commissionCents: 150, taxCents: 50 };
          },
        },
      },
      {
        protoPath: new URL('../../../services/location/rpc/location.proto', import.meta.url), packageName: 'tandem.location.v1', serviceName: 'Location',
        handlers: {
          Nearest: async ({ radiusM }: { radiusM: number }) => ({ drivers: radiusM > 0 ? [{ ...position, distanceM: 0 }] : [] }),
          Positions: async ({ driverIds }: { driverIds: string[] }) => ({ positions: driverIds.map((id) => ({ ...position, driverId: id })) }),
          Track: async function* () {
            yield position;
          },
        },
      },
    ],
  });
}

async function startInstance(number: number): Promise<Instance> {
  const [http, grpc] = [await freePort(), await freePort()];
  const { host, port, user, password, database } = mysql.users['tandem_dispatch'] ?? mysql.config;
  const target = `${LOOPBACK}:${peers.port}`;
  const child = spawn(process.execPath, ['services/dispatch/main.ts'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      TANDEM_REGION: 'east', TANDEM_REGIONS: REGIONS, TANDEM_INSTANCE: `dispatch-east-${number}`, TANDEM_HOST: LOOPBACK,
      TANDEM_HTTP_PORT: String(http), TANDEM_GRPC_PORT: String(grpc), TANDEM_ETCD: etcd.endpoints.join(','),
      TANDEM_MYSQL_HOST: host, TANDEM_MYSQL_PORT: String(port), TANDEM_MYSQL_USER: user, TANDEM_MYSQL_PASSWORD: password,
      TANDEM_MYSQL_DATABASE: database, TANDEM_REDIS_URL: redis.url, TANDEM_PRICING_GRPC: target, TANDEM_LOCATION_GRPC: target,
      TANDEM_JWT_PUBLIC_KEY: Buffer.from(JSON.stringify(publicKey.export({ format: 'jwk' }))).toString('base64url'),
    },
  });
  const instance: Instance = { child, http, grpc, output: '' };
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (instance.output += String(chunk)));
  return instance;
}

async function ready(instance: Instance): Promise<void> {
  let reasons = '';
  await withDeadline('readiness', 60_000, async (signal) => {
    while (!signal.aborted && instance.child.exitCode === null) {
      const response = await fetch(`http://${LOOPBACK}:${instance.http}/health/ready`, { signal }).catch(() => undefined);
      if (response?.status === 200) return;
      reasons = (await response?.text()) ?? 'not listening';
      await sleep(50, signal);
    }
    throw new Error('it has ended');
  }).catch((cause: unknown) => {
    throw new Error(`dispatch is not ready: ${reasons}\n${instance.output}`, { cause });
  });
}

type Caller = { accountId: bigint; role: 'rider' | 'driver' };

async function call(instance: Instance, method: string, path: string, caller: Caller, body?: unknown): Promise<any> {
  const response = await request(instance, method, path, caller, body);
  const answer = await response.json();
  expect(response.status, `${method} ${path}: ${JSON.stringify(answer)}`).toBeLessThan(300);
  return answer;
}

async function request({ http }: Instance, method: string, path: string, caller: Caller, body?: unknown, key = path): Promise<Response> {
  const token = await signToken(privateKey.export({ format: 'jwk' }), { ...caller, ttlS: 600 });
  return await fetch(`http://${LOOPBACK}:${http}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'idempotency-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function* followDriver({ grpc }: Instance, signal: AbortSignal): AsyncGenerator<{ seq: string; type: string; data: any }> {
  const client = openRpcClient<DispatchMethods>({ ...DISPATCH_SERVICE, targets: [`${LOOPBACK}:${grpc}`], deadlineMs: 5000, log });
  try {
    for await (const { seq, type, dataJson } of client.call.DriverEvents({ driverId: driverId.toString(), after: '0' }, { signal })) {
      yield { seq, type, data: JSON.parse(dataJson) };
    }
  } catch (e) {
    if (!signal.aborted) throw e;
  } finally {
    await client.close();
  }
}

async function next<T>(events: AsyncGenerator<T>): Promise<T> {
  const { value } = await withDeadline('the next event', 20_000, () => events.next());
  return value as T;
}
