/**
 * The payment service, built but not started: its HTTP API, its coordinator and the sweep of old keys.
 * Invariant: it is ready when it can write and know where: database, homes of units, ids. It reads no environment and
 * listens on nothing.
 */
import { buildHttp } from '../../shared/http/http-server.ts';
import type { HttpApp } from '../../shared/http/http-server.ts';
import type { VerifyToken } from '../../shared/http/auth.ts';
import type { WriteGate } from '../../shared/http/write-gate.ts';
import type { RegionName, Regions } from '../../shared/kernel/region.ts';
import type { UnitMap } from '../../shared/etcd/units.ts';
import type { Database } from '../../shared/mysql/database.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import { ChargeLoop } from './coordinator/charge-loop.ts';
import { KeySweep } from './coordinator/key-sweep.ts';
import { addPaymentRoutes } from './http/payment-routes.ts';
import { countCharges, countForgottenKeys, observeCoordinator } from './metrics.ts';
import type { IdSource } from './store/ledger.ts';

export type PaymentDeps = {
  readonly region: RegionName;
  readonly regions: Regions;
  readonly db: Database;
  readonly clock: { now(): bigint };
  readonly ids: IdSource;
  readonly units: Pick<UnitMap, 'homeOf' | 'isHome'>;
  readonly verifyToken: VerifyToken;
  /** The RPO guard; without one every write is taken. */
  readonly writes?: WriteGate;
  readonly nowMs: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
};

const CHECK_DEADLINE_MS = 200;

export function buildPayment(deps: PaymentDeps): { readonly http: HttpApp; readonly coordinator: ChargeLoop; readonly keySweep: KeySweep } {
  const { region, regions, db, clock, ids, units, nowMs, log, metrics, verifyToken, writes } = deps;
  const coordinator = new ChargeLoop({ db, clock, ids, units, log, nowMs, counts: countCharges(metrics) });
  observeCoordinator(metrics, coordinator, nowMs);
  const keySweep = new KeySweep({ db, clock, units, log, nowMs, onForgotten: countForgottenKeys(metrics) });
  const http = buildHttp({
    name: 'payment',
    log,
    metrics,
    verifyToken,
    writes,
    clock,
    checks: { database: () => db.ping(CHECK_DEADLINE_MS) },
    openapi: {
      title: 'Tandem payments',
      version: '1',
      description: 'Fares, tips and receipts. Money of an account is written in its home region only.',
      tags: [{ name: 'payments', description: 'What a ride cost, and paying it.' }],
    },
  });
  addPaymentRoutes(http, { db, clock, ids, where: { region, regions, units }, nowMs });
  return { http, coordinator, keySweep };
}
