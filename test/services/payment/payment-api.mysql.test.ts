/** The payment API over a real database: who may pay what, where, and how often. */
import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildPayment } from '../../../services/payment/app.ts';
import { HybridClock } from '../../../shared/clock/hybrid-clock.ts';
import { createVerifier, signToken } from '../../../shared/http/auth.ts';
import type { Role } from '../../../shared/http/auth.ts';
import type { HttpApp } from '../../../shared/http/http-server.ts';
import { packId } from '../../../shared/id/id-layout.ts';
import { Regions } from '../../../shared/kernel/region.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { createLog } from '../../../shared/telemetry/log.ts';
import { createMetrics } from '../../../shared/telemetry/metrics.ts';
import { formatUnit, initialHome, unitOfAccount } from '../../../shared/unit/unit.ts';
import { startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

const regions = Regions.parse('east=1,west=2');
const units = { homeOf: (unit: number) => ({ home: initialHome(unit, regions), epoch: 1 }), isHome: (unit: number) => initialHome(unit, regions) === 'east' };
/** A rider at home in each region. */
const [EAST_RIDER, WEST_RIDER] = (['east', 'west'] as const).map((region) => [...Array(500).keys()].map((i) => BigInt(i + 1)).find((id) => units.homeOf(unitOfAccount(id)).home === region)!) as [bigint, bigint];
const BREAKDOWN = { lines: [{ kind: 'base', label: 'Base fare', cents: 1_000 }, { kind: 'tax', label: 'Tax', cents: 89 }], driverCents: 800, commissionCents: 200, taxCents: 89, fareCardVersion: 1 };

let server: TestMysql;
let root: Database;
let db: Database;
let app: HttpApp;
let privateJwk: Awaited<ReturnType<typeof exportJWK>>;
let sequence = 0;
const nextId = (region = 1) => packId({ ms: Date.UTC(2026, 1, 1) + sequence, region, node: 3, sequence: sequence++ % 4_096 });

beforeAll(async () => {
  const pair = await generateKeyPair('EdDSA', { extractable: true });
  privateJwk = await exportJWK(pair.privateKey);
  server = await startMysql({ grants: true });
  root = openDatabase(server.config, { log: SILENT_LOG });
  db = openDatabase(server.users.tandem_payment!, { log: SILENT_LOG });
  const identity = { region: 'east', instance: 'payment-east-1' };
  ({ http: app } = buildPayment({
    region: 'east', regions, db, clock: new HybridClock({ nowMs: Date.now }), ids: { next: nextId }, units,
    verifyToken: createVerifier(await exportJWK(pair.publicKey)), nowMs: Date.now,
    log: createLog({ name: 'payment', level: 'silent', ...identity }), metrics: createMetrics({ service: 'payment', ...identity }),
  }));
});

afterAll(async () => {
  await app?.close();
  await db?.close();
  await root?.close();
  await server?.stop();
});

let key = 0;
beforeEach(() => void (key += 1));

async function bookRide(options: { id?: bigint; riderId?: bigint; isCompleted?: boolean } = {}): Promise<bigint> {
  const { id = nextId(), riderId = EAST_RIDER, isCompleted = true } = options;
  await root.execute(
    `INSERT INTO rides (id, quote_id, rider_id, payer_unit, status, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, seats, pooled, fare_cents, currency, breakdown, otp, latest_pickup_at, latest_arrival_at, unit)
     VALUES (?, ?, ?, ?, ?, 40.7, -74, 40.8, -74, 1, 1, 1089, 'USD', ?, '0000', NOW(3), NOW(3), 9)`,
    [id, nextId(), riderId, unitOfAccount(riderId), isCompleted ? 'completed' : 'assigned', JSON.stringify(BREAKDOWN)],
  );
  if (isCompleted) {
    await root.execute("INSERT INTO fares (id, ride_id, payer_id, payer_unit, driver_id, amount_cents, currency, breakdown, unit) VALUES (?, ?, ?, ?, 900, 1089, 'USD', ?, 9)", [
      id, id, riderId, unitOfAccount(riderId), JSON.stringify(BREAKDOWN),
    ]);
  }
  return id;
}

type Ask = { as?: bigint; role?: Role; body?: object; key?: string | null; headers?: Record<string, string> };

async function ask(method: 'GET' | 'POST', url: string, options: Ask = {}) {
  const { as = EAST_RIDER, role = 'rider', body } = options;
  const token = await signToken(privateJwk, { accountId: as, role, ttlS: 60 });
  const keyed = method === 'POST' && options.key !== null ? { 'idempotency-key': options.key ?? `key-${key}` } : {};
  const answer = await app.inject({ method, url, headers: { authorization: `Bearer ${token}`, ...keyed, ...options.headers }, ...(body === undefined ? {} : { payload: body }) });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() };
}

const rows = async (table: string) => Number((await root.query<{ n: bigint }>(`SELECT COUNT(*) AS n FROM ${table}`))[0]!.n);

describe('paying a ride', () => {
  test('charges it once; later requests are answered with that payment, a repeated one with its own answer', async () => {
    const id = await bookRide();
    const first = await ask('POST', `/v1/rides/${id}/payments`);
    expect(first).toMatchObject({ status: 201, body: { rideId: String(id), kind: 'fare', amount: { amountCents: 1_089, currency: 'USD' }, method: 'account', status: 'committed' } });
    expect(first.headers['tandem-unit']).toBe(formatUnit(unitOfAccount(EAST_RIDER)));
    const again = await ask('POST', `/v1/rides/${id}/payments`);
    expect([again.status, again.body, again.headers['idempotency-replayed']]).toEqual([201, first.body, 'true']);
    const other = await ask('POST', `/v1/rides/${id}/payments`, { key: 'another', body: { method: 'account' } });
    expect([other.status, other.body.id]).toEqual([200, first.body.id]);
  });

  test('many times at once makes one payment', async () => {
    const id = await bookRide();
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => ask('POST', `/v1/rides/${id}/payments`, { key: `race-${i}` })));
    expect(answers.map((answer) => answer.status).toSorted()).toEqual([...Array(9).fill(200), 201]);
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
  });

  test('that is not completed is a conflict, and the key stays free', async () => {
    const id = await bookRide({ isCompleted: false });
    expect(await ask('POST', `/v1/rides/${id}/payments`)).toMatchObject({ status: 409, body: { code: 'conflict' } });
    await root.execute("INSERT INTO fares (id, ride_id, payer_id, payer_unit, driver_id, amount_cents, currency, breakdown, unit) VALUES (?, ?, ?, ?, 900, 1089, 'USD', ?, 9)", [id, id, EAST_RIDER, unitOfAccount(EAST_RIDER), JSON.stringify(BREAKDOWN)]);
    expect((await ask('POST', `/v1/rides/${id}/payments`)).status).toBe(201);
  });

  test('needs a key, a rider, a known method and a ride of one’s own', async () => {
    const id = await bookRide();
    expect(await ask('POST', `/v1/rides/${id}/payments`, { key: null })).toMatchObject({ status: 400, body: { code: 'idempotency-key-missing' } });
    expect(await ask('POST', `/v1/rides/${id}/payments`, { role: 'driver' })).toMatchObject({ status: 403 });
    expect(await ask('POST', `/v1/rides/${id}/payments`, { body: { method: 'gold' } })).toMatchObject({ status: 400, body: { code: 'validation-failed' } });
    expect(await ask('POST', '/v1/rides/zero/payments')).toMatchObject({ status: 400 });
    const theirs = await bookRide({ riderId: WEST_RIDER });
    expect(await ask('POST', `/v1/rides/${theirs}/payments`)).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });
});

describe('money in the wrong region', () => {
  test.each(['payments', 'tip'])('(%s) is refused with the home named, and nothing is written', async (what) => {
    const id = await bookRide({ riderId: WEST_RIDER });
    const before = [await rows('idempotency_keys'), await rows('payments'), await rows('accounts')];
    const answer = await ask('POST', `/v1/rides/${id}/${what}`, { as: WEST_RIDER, body: what === 'tip' ? { amountCents: 100 } : {} });
    expect(answer).toMatchObject({ status: 409, body: { type: 'https://tandem.example/problems/cross-region-write', code: 'cross-region-write', home: 'west' } });
    expect([await rows('idempotency_keys'), await rows('payments'), await rows('accounts')]).toEqual(before);
  });

  test('is not carried there either: only reads and unknown rides ask for that', async () => {
    const unknown = nextId(2);
    const read = await ask('GET', `/v1/rides/${unknown}/receipt`);
    expect(read).toMatchObject({ status: 421, body: { code: 'not-home', home: 'west' } });
    expect(read.headers['tandem-home']).toBe('west');
    expect((await ask('GET', `/v1/rides/${unknown}/receipt`, { headers: { 'tandem-forwarded': 'west' } })).status).toBe(404);
    expect((await ask('GET', `/v1/rides/${nextId(1)}/receipt`)).status).toBe(404);
    expect((await ask('POST', `/v1/rides/${nextId(1)}/tip`, { body: { amountCents: 5 } })).status).toBe(404);
    // Not west: there the payer would be told that the home is here.
    expect(await ask('POST', `/v1/rides/${unknown}/payments`)).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });

  test('that came before its ride was replicated waits for it', async () => {
    const id = nextId(2);
    const early = ask('POST', `/v1/rides/${id}/payments`, { key: 'early' });
    await bookRide({ id });
    expect((await early).status).toBe(201);
  });
});

describe('a tip', () => {
  test('goes to the driver, once a ride', async () => {
    const id = await bookRide();
    const tip = await ask('POST', `/v1/rides/${id}/tip`, { body: { amountCents: 250 } });
    expect(tip).toMatchObject({ status: 201, body: { kind: 'tip', amount: { amountCents: 250, currency: 'USD' }, status: 'committed' } });
    expect(await ask('POST', `/v1/rides/${id}/tip`, { key: 'more', body: { amountCents: 1 } })).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect(await ask('POST', `/v1/rides/${id}/tip`, { body: { amountCents: 251 } })).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  });

  test.each([[{}], [{ amountCents: 0 }], [{ amountCents: 1.5 }], [{ amountCents: 20_001 }], [{ amountCents: '5' }], [{ amountCents: 5, to: 'me' }]])('of %j is refused', async (body) => {
    const answer = await ask('POST', `/v1/rides/${nextId()}/tip`, { body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation-failed' } });
    expect(answer.body.errors).toHaveLength(1);
  });
});

describe('a receipt', () => {
  test('shows the quoted breakdown and what was paid, to the rider and to operators', async () => {
    const id = await bookRide();
    expect(await ask('GET', `/v1/rides/${id}/receipt`)).toMatchObject({ status: 200, body: { status: 'completed', payments: [], chargedAt: null } });
    await ask('POST', `/v1/rides/${id}/tip`, { body: { amountCents: 250 }, key: 'tip-first' });
    await ask('POST', `/v1/rides/${id}/payments`, { key: 'then-pay' });
    const receipt = await ask('GET', `/v1/rides/${id}/receipt`);
    expect(receipt.body).toMatchObject({
      rideId: String(id), fare: { amountCents: 1_089, currency: 'USD' },
      breakdown: [{ kind: 'base', label: 'Base fare', amountCents: 1_000 }, { kind: 'tax', label: 'Tax', amountCents: 89 }],
      payments: [{ kind: 'fare', status: 'committed', amount: { amountCents: 1_089 } }, { kind: 'tip', amount: { amountCents: 250 } }],
    });
    expect(receipt.body.chargedAt).toBe(receipt.body.payments[0].createdAt);
    expect(receipt.headers['tandem-unit']).toBe('09');
    expect((await ask('GET', `/v1/rides/${id}/receipt`, { as: 12_345n, role: 'operator' })).status).toBe(200);
    expect((await ask('GET', `/v1/rides/${id}/receipt`, { as: WEST_RIDER })).status).toBe(404);
  });
});

test('the service is ready, and its OpenAPI document shows all three operations', async () => {
  expect((await app.inject('/health/ready')).statusCode).toBe(200);
  expect(Object.keys((await app.inject('/openapi.json')).json().paths)).toEqual(['/v1/rides/{id}/payments', '/v1/rides/{id}/tip', '/v1/rides/{id}/receipt']);
});
