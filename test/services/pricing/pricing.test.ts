/** Pricing as a service: the .proto and the code agree, over a real gRPC connection. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPricing } from '../../../services/pricing/app.ts';
import type { PricingMethods } from '../../../services/pricing/rpc/quote.ts';
import type { Sql } from '../../../shared/mysql/database.ts';
import { openRpcClient } from '../../../shared/rpc/rpc-client.ts';
import type { RpcClient } from '../../../shared/rpc/rpc-client.ts';
import { startRpcServer } from '../../../shared/rpc/rpc-server.ts';
import type { RpcServer } from '../../../shared/rpc/rpc-server.ts';
import { createLog } from '../../../shared/telemetry/log.ts';
import { createMetrics } from '../../../shared/telemetry/metrics.ts';

const identity = { region: 'east', instance: 'pricing-east-1' };
const log = createLog({ name: 'pricing', level: 'silent', ...identity });
const body = '{"currency":"USD","baseCents":255,"perKmCents":109,"perMinuteCents":35,"minimumCents":800,"extraSeatPermille":150,"poolingDiscountPermille":250,"taxPermille":89,"commissionPermille":200}';
const rows = [{ version: 1, effective_from: new Date(0), body }];
const db = { query: async () => rows } as unknown as Sql;

const metrics = createMetrics({ service: 'pricing', ...identity });
const pricing = buildPricing({ db, nowMs: Date.now, log, metrics });
let server: RpcServer;
let client: RpcClient<PricingMethods>;

beforeAll(async () => {
  server = await startRpcServer({ host: '127.0.0.1', port: 0, services: [pricing.rpc], log });
  client = openRpcClient<PricingMethods>({
    protoPath: new URL('../../../services/pricing/rpc/pricing.proto', import.meta.url), packageName: 'tandem.pricing.v1', serviceName: 'Pricing',
    targets: [`127.0.0.1:${server.port}`], deadlineMs: 5_000, log,
  });
});

afterAll(async () => {
  await client.close();
  await server.stop();
  await pricing.http.close();
});

const request = { pickup: { lat: 40.75, lon: -73.98 }, dropoff: { lat: 40.76, lon: -73.97 }, distanceM: 5_000, durationS: 900, seats: 1, pooled: true, atMs: '0' };

describe('pricing', () => {
  test('is not ready, and quotes nothing, before it has read a fare card; then it is and does', async () => {
    expect((await pricing.http.inject('/health/ready')).json()).toMatchObject({ status: 'not-ready', reasons: ['fare-cards: no fare card is in effect'] });
    await expect(client.call.Quote(request)).rejects.toMatchObject({ code: 'not-ready', retryable: true });
    await pricing.cards.refresh();
    expect((await pricing.http.inject('/health/ready')).statusCode).toBe(200);
    const fare = await client.call.Quote(request);
    // (2.55 + 5.45 + 5.25) × 0.75 × 1.089 = 10.82
    expect(fare).toMatchObject({ fareCents: 1_082, currency: 'USD', fareCardVersion: 1, taxCents: 88, driverCents: 795, commissionCents: 199 });
    expect(fare.lines).toContainEqual({ kind: 'pooling', label: 'Pooling discount', cents: -331 });
    expect(fare.lines.reduce((sum, line) => sum + line.cents, 0)).toBe(fare.fareCents);
  });

  test('tells a caller every field that is wrong', async () => {
    await expect(client.call.Quote({ ...request, pickup: null, seats: 9 })).rejects.toMatchObject({ code: 'validation-failed', message: expect.stringMatching(/pickup.*seats/) });
  });

  test('counts what it quotes', async () => {
    const text = await metrics.expose();
    expect(text).toMatch(/pricing_quotes_total\{.*riding="pooled".*\} 1/);
    expect(text).toMatch(/pricing_fare_card_version\{.*\} 1/);
  });
});
