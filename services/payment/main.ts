/** The payment process: reads its configuration, wires the service and runs it. Nothing else happens here. */
import { HybridClock } from '../../shared/clock/hybrid-clock.ts';
import { mysqlOf } from '../../shared/config/process-config.ts';
import { openEtcd } from '../../shared/etcd/etcd.ts';
import { watchUnits } from '../../shared/etcd/units.ts';
import { startRpoWatch } from '../../shared/guard/rpo-watch.ts';
import { createVerifier } from '../../shared/http/auth.ts';
import { httpPart } from '../../shared/http/http-server.ts';
import { startLeasedIds } from '../../shared/id/leased-ids.ts';
import { runProcess } from '../../shared/lifecycle/run-process.ts';
import { openDatabase } from '../../shared/mysql/database.ts';
import { newestMigration } from '../../shared/schema/migrations.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { createMetrics } from '../../shared/telemetry/metrics.ts';
import { startTracing } from '../../shared/telemetry/tracing.ts';
import { buildPayment } from './app.ts';
import { readPaymentConfig } from './config.ts';

runProcess('payment', async (life) => {
  const config = readPaymentConfig(process.env);
  const { region, regions, instance, host } = config;
  const origin = regions.originOf(region);
  const log = createLog({ name: 'payment', level: config.logLevel, region, instance });
  const metrics = createMetrics({ service: 'payment', region, instance });
  const tracing = await startTracing({ service: 'payment', region, instance, otlpEndpoint: config.otlpEndpoint });
  life.add({ name: 'tracing', stop: () => tracing.stop() });
  const etcd = openEtcd({ endpoints: config.etcd, log });
  life.add({ name: 'etcd', stop: () => etcd.close() });
  const db = openDatabase(mysqlOf(config), { log, metrics });
  life.add({ name: 'mysql', stop: () => db.close() });
  const writes = await startRpoWatch({ region, regions, db, etcd, log, metrics, nowMs: Date.now });
  life.add({ name: 'rpo guard', stop: () => writes.stop() });
  const units = await watchUnits(etcd, { region, log });
  life.add({ name: 'units', stop: async () => units.stop() });
  const ids = await startLeasedIds({ etcd, region, origin, owner: instance, schema: await newestMigration(), log });
  life.add({ name: 'ids', stop: () => ids.stop() });
  metrics.observe('tandem_id_window_ms', 'How long ids last without etcd.', [], (report) => report(ids.remainingMs));

  const clock = new HybridClock({ nowMs: Date.now, onDrift: (drift) => log.warn(drift, 'a clock of the peer is ahead') });
  const verifyToken = createVerifier(config.jwtPublicKey);
  const { http, coordinator, keySweep } = buildPayment({ region, regions, db, clock, ids, units, verifyToken, writes, nowMs: Date.now, log, metrics });
  life.add({ name: 'coordinator', start: async () => coordinator.start(), stop: () => coordinator.stop() });
  life.add({ name: 'key sweep', start: async () => keySweep.start(), stop: () => keySweep.stop() });
  life.add(httpPart(http, { host, port: config.httpPort }));
  return { log };
});
