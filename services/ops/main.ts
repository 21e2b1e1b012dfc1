/** The ops process: reads its configuration, wires the parts, runs them. */
import { openEtcd } from '../../shared/etcd/etcd.ts';
import { watchUnits } from '../../shared/etcd/units.ts';
import { httpPart } from '../../shared/http/http-server.ts';
import { runProcess } from '../../shared/lifecycle/run-process.ts';
import { mysqlOf } from '../../shared/config/process-config.ts';
import { openDatabase } from '../../shared/mysql/database.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { createMetrics } from '../../shared/telemetry/metrics.ts';
import { startTracing } from '../../shared/telemetry/tracing.ts';
import { buildOps } from './app.ts';
import { Collector } from './collect/collector.ts';
import { readOpsConfig } from './config.ts';

/** A handful of small reads each second. */
const POOL_SIZE = 4;
const QUERY_DEADLINE_MS = 2_000;

runProcess('ops', async (life) => {
  const config = readOpsConfig(process.env);
  const { region, regions, instance, host, httpPort, targets, peerOps } = config;
  const log = createLog({ name: 'ops', level: config.logLevel, region, instance });
  const metrics = createMetrics({ service: 'ops', region, instance });
  const tracing = await startTracing({ service: 'ops', region, instance, otlpEndpoint: config.otlpEndpoint });
  const etcd = openEtcd({ endpoints: config.etcd, log });
  const db = openDatabase({ ...mysqlOf(config), poolSize: POOL_SIZE, queryDeadlineMs: QUERY_DEADLINE_MS }, { log, metrics });
  const collector = new Collector({ region, regions, instance, targets, peerOps, db, etcd, log, nowMs: Date.now });
  const app = buildOps({ source: collector, log, metrics });

  life.add({ name: 'telemetry', stop: async () => void (await Promise.all([tracing.stop(), metrics.stop()])) });
  life.add({ name: 'etcd', stop: () => etcd.close() });
  life.add({ name: 'database', stop: () => db.close() });
  life.add({
    name: 'collector',
    start: () => collector.start(() => watchUnits(etcd, { region, log })),
    stop: () => collector.stop(),
  });
  life.add(httpPart(app, { host, port: httpPort }));
  return { log };
});
