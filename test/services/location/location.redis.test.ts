/** Location as a service: real WebSockets up, a real Redis below, gRPC on both sides. */
import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { buildLocation } from '../../../services/location/app.ts';
import type { LocationApp } from '../../../services/location/app.ts';
import { openDispatch } from '../../../services/location/rpc/driver-events.ts';
import type { DispatchMethods } from '../../../services/location/rpc/driver-events.ts';
import type { LocationMethods, PositionMessage } from '../../../services/location/rpc/location-answers.ts';
import { createVerifier, signToken } from '../../../shared/http/auth.ts';
import type { Role } from '../../../shared/http/auth.ts';
import { drain, listen } from '../../../shared/http/http-server.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { closeRedis, openRedis, redisReady } from '../../../shared/redis/redis.ts';
import type { Redis } from '../../../shared/redis/redis.ts';
import { openRpcClient } from '../../../shared/rpc/rpc-client.ts';
import type { RpcClient } from '../../../shared/rpc/rpc-client.ts';
import { rpcService, startRpcServer } from '../../../shared/rpc/rpc-server.ts';
import type { RpcServer } from '../../../shared/rpc/rpc-server.ts';
import { createLog } from '../../../shared/telemetry/log.ts';
import { createMetrics } from '../../../shared/telemetry/metrics.ts';
import { unitOfAccount } from '../../../shared/unit/unit.ts';
import { startRedis } from '../../harness/redis.ts';
import type { TestRedis } from '../../harness/redis.ts';

const identity = { region: 'east', instance: 'location-east-1' };
const log = createLog({ name: 'location', level: 'silent', ...identity });
const metrics = createMetrics({ service: 'location', ...identity });
/** A driver whose account is at home elsewhere. */
const STRANGER = 13n;
const isHome = (unit: number): boolean => unit !== unitOfAccount(STRANGER);

/** The one driver dispatch has something to say to. */
const ADDRESSEE = '41';

/** Dispatch as far as location sees it: a log of one driver's events that can be followed and cut. */
class FakeDispatch {
  readonly #events: { seq: string; type: string; dataJson: string; atMs: string }[] = [];
  readonly #wakes = new Set<() => void>();
  cut = new AbortController();
  begun = 0;

  say(type: string, data: object): void {
    this.#events.push({ seq: String(this.#events.length + 1), type, dataJson: JSON.stringify(data), atMs: '0' });
    for (const wake of this.#wakes) wake();
  }

  readonly service = rpcService<DispatchMethods>({
    protoPath: new URL('../../../services/dispatch/rpc/dispatch.proto', import.meta.url), packageName: 'tandem.dispatch.v1', serviceName: 'Dispatch',
    handlers: { DriverEvents: (request, { signal }) => this.#follow(request.driverId === ADDRESSEE ? Number(request.after) : Infinity, AbortSignal.any([signal, this.cut.signal])) },
  });

  async *#follow(after: number, signal: AbortSignal) {
    this.begun += 1;
    for (let next = after; !signal.aborted; ) {
      if (next < this.#events.length) yield this.#events[next++]!;
      else await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#wakes.delete(wake);
          resolve();
        };
        this.#wakes.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
    throw new TandemError('not-ready', 'cut');
  }
}

let redisServer: TestRedis;
let redis: Redis;
let blockingRedis: Redis;
let location: LocationApp;
let rpcServer: RpcServer;
let dispatchServer: RpcServer;
let dispatch: RpcClient<DispatchMethods>;
let client: RpcClient<LocationMethods>;
let port: number;
let privateJwk: Awaited<ReturnType<typeof exportJWK>>;
const fakeDispatch = new FakeDispatch();

beforeAll(async () => {
  const pair = await generateKeyPair('EdDSA', { extractable: true });
  privateJwk = await exportJWK(pair.privateKey);
  redisServer = await startRedis();
  redis = openRedis(redisServer.url, { log, name: 'commands' });
  blockingRedis = openRedis(redisServer.url, { log, name: 'reader', use: 'blocking' });
  await redisReady(redis, 5_000);
  dispatchServer = await startRpcServer({ host: '127.0.0.1', port: 0, services: [fakeDispatch.service], log });
  dispatch = openDispatch([`127.0.0.1:${dispatchServer.port}`], { log, metrics });
  location = buildLocation({
    redis, blockingRedis, driverEvents: (request, signal) => dispatch.call.DriverEvents(request, { signal }), speedFactor: () => 1,
    units: { isHome, assertHome: (unit) => { if (!isHome(unit)) throw new TandemError('not-home', 'elsewhere', { details: { home: 'west', unit } }); } },
    verifyToken: createVerifier(await exportJWK(pair.publicKey)), nowMs: Date.now, log, metrics,
  });
  location.upkeep.start();
  ({ port } = await listen(location.http, { host: '127.0.0.1', port: 0 }));
  rpcServer = await startRpcServer({ host: '127.0.0.1', port: 0, services: [location.rpc], log });
  client = openRpcClient<LocationMethods>({
    protoPath: new URL('../../../services/location/rpc/location.proto', import.meta.url), packageName: 'tandem.location.v1', serviceName: 'Location',
    targets: [`127.0.0.1:${rpcServer.port}`], deadlineMs: 5_000, log,
  });
});

afterAll(async () => {
  await client?.close();
  await rpcServer?.stop();
  await location?.http.close();
  await location?.upkeep.stop();
  await dispatch?.close();
  await dispatchServer?.stop();
  await Promise.all([redis, blockingRedis].filter((one) => one !== undefined).map(closeRedis));
  await redisServer?.stop();
});

type Frame = Record<string, any>;

async function connect(driverId: bigint, options: { after?: string; role?: Role; tokenInQuery?: true } = {}) {
  const token = await signToken(privateJwk, { accountId: driverId, role: options.role ?? 'driver', ttlS: 60 });
  const query = new URLSearchParams({ ...(options.after === undefined ? {} : { after: options.after }), ...(options.tokenInQuery ? { access_token: token } : {}) });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/driver/stream?${query}`, options.tokenInQuery ? {} : { headers: { authorization: `Bearer ${token}` } });
  const frames: Frame[] = [];
  socket.on('message', (data) => frames.push(JSON.parse(String(data))));
  const refused = new Promise<number>((resolve) => {
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
  });
  const opened = new Promise<'open'>((resolve) => {
    socket.on('open', () => resolve('open'));
  });
  const closed = new Promise<number>((resolve) => {
    socket.on('close', resolve);
  });
  socket.on('error', () => {});
  return { frames, closed, outcome: await Promise.race([opened, refused]), ping: (lat: number, lon: number, at?: string) => socket.send(JSON.stringify({ type: 'ping', lat, lon, at })), close: () => socket.close() };
}

describe('a driver’s stream', () => {
  test('opens for drivers at home only, with the token in a header or, for browsers, in the query', async () => {
    const fine = [await connect(21n), await connect(22n, { tokenInQuery: true })];
    expect(fine.map((one) => one.outcome)).toEqual(['open', 'open']);
    for (const one of fine) one.close();
    expect((await connect(21n, { role: 'rider' })).outcome).toBe(403);
    expect((await connect(STRANGER)).outcome).toBe(421);
    for (const after of ['-1', '9223372036854775808']) expect((await connect(21n, { after })).outcome).toBe(400);
    expect((await location.http.inject('/v1/driver/stream')).statusCode).toBe(426);
  });

  test('carries pings to everybody who asks: nearest, by id, and live', async () => {
    const driver = await connect(31n);
    driver.ping(40.7580, -73.9855, new Date().toISOString());
    await expect.poll(async () => (await client.call.Positions({ driverIds: ['31', '32'] })).positions).toMatchObject([{ driverId: '31', lat: 40.758, lon: -73.9855 }]);
    const { drivers } = await client.call.Nearest({ lat: 40.7589, lon: -73.9855, limit: 5, radiusM: 2_000 });
    expect(drivers).toMatchObject([{ driverId: '31', distanceM: 100 }]);

    const seen: PositionMessage[] = [];
    const leaving = new AbortController();
    const following = (async () => {
      for await (const position of client.call.Track({ driverId: '31' }, { signal: leaving.signal })) seen.push(position);
    })().catch(() => {});
    await expect.poll(() => seen.length).toBe(1);
    driver.ping(40.7581, -73.9855);
    await expect.poll(() => seen.map((position) => position.lat)).toEqual([40.758, 40.7581]);
    leaving.abort();
    await following;
    driver.close();
  });

  test('sends events in order, goes on by itself when dispatch is lost, and resumes from an offset', async () => {
    const driver = await connect(41n);
    fakeDispatch.say('offer', { offer: { id: '1', rideId: '2' } });
    await expect.poll(() => driver.frames).toEqual([{ type: 'hello', offset: '0' }, { type: 'offer', offset: '1', offer: { id: '1', rideId: '2' } }]);
    const { cut } = fakeDispatch;
    fakeDispatch.cut = new AbortController();
    cut.abort();
    fakeDispatch.say('offer-closed', { offerId: '1', reason: 'expired' });
    await expect.poll(() => driver.frames.at(-1), { timeout: 5_000 }).toEqual({ type: 'offer-closed', offset: '2', offerId: '1', reason: 'expired' });
    driver.close();

    const later = await connect(41n, { after: '1' });
    await expect.poll(() => later.frames.map((frame) => [frame.type, frame.offset])).toEqual([['hello', '1'], ['offer-closed', '2']]);
    later.close();
  });

  test('answers a bad ping and goes on; too many close it', async () => {
    const driver = await connect(51n);
    driver.ping(95, 0);
    await expect.poll(() => driver.frames.at(-1)).toMatchObject({ type: 'error', code: 'ping-out-of-range' });
    driver.ping(40.7, -73.9);
    driver.ping(41.7, -73.9);
    await expect.poll(() => driver.frames.at(-1)).toMatchObject({ type: 'error', code: 'ping-jump' });
    for (let i = 0; i < 25; i += 1) driver.ping(95, 0);
    expect(await driver.closed).toBe(1008);
  });

  test('refuses a frame that is too large before reading it', async () => {
    const driver = await connect(61n);
    driver.ping(1, 2, 'x'.repeat(5_000));
    expect(await driver.closed).toBe(1009);
  });

  test('of a driver who connects again replaces the older one', async () => {
    const older = await connect(71n);
    const newer = await connect(71n);
    expect(await older.closed).toBe(4001);
    newer.close();
    await newer.closed;
  });

  test('of 300 drivers at once all follow dispatch', async () => {
    const begun = fakeDispatch.begun;
    const drivers = await Promise.all(Array.from({ length: 300 }, (_, i) => connect(BigInt(10_000 + i))));
    const open = drivers.filter((driver) => driver.outcome === 'open');
    expect(open.length).toBeGreaterThan(280); // those of the stranger's unit are refused
    await expect.poll(() => fakeDispatch.begun - begun, { timeout: 10_000 }).toBe(open.length);
    for (const driver of drivers) driver.close();
  });
});

describe('location’s answers', () => {
  test('name every field that is wrong', async () => {
    await expect(client.call.Nearest({ lat: 91, lon: 0, limit: 1_000, radiusM: -1 })).rejects.toMatchObject({ code: 'validation-failed', message: expect.stringMatching(/lat, lon.*limit.*radius_m/) });
    await expect(client.call.Positions({ driverIds: Array.from({ length: 1_001 }, String) })).rejects.toMatchObject({ code: 'validation-failed' });
    await expect(async () => { for await (const _ of client.call.Track({ driverId: '0' })) break; }).rejects.toMatchObject({ code: 'validation-failed' });
  });

  test('are found in the metrics, and a drain sends every driver elsewhere', async () => {
    const driver = await connect(81n);
    const text = await metrics.expose();
    expect(text).toMatch(/location_pings_total\{.*outcome="accepted".*\} \d/);
    expect(text).toMatch(/location_sockets\{.*\} 1\n/);
    drain(location.http);
    expect(await driver.closed).toBe(1012);
    expect((await location.http.inject('/health/ready')).statusCode).toBe(503);
  });
});
