/** The pricing process: reads its configuration, wires the service and runs it. Nothing else happens here. */
import { mysqlOf } from '../../shared/config/process-config.ts';
import { httpPart } from '../../shared/http/http-server.ts';
import { runProcess } from '../../shared/lifecycle/run-process.ts';
import { openDatabase } from '../../shared/mysql/database.ts';
import { rpcServerPart } from '../../shared/rpc/rpc-server.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { createMetrics } from '../../shared/telemetry/metrics.ts';
import { startTracing } from '../../shared/telemetry/tracing.ts';
import { buildPricing } from './app.ts';
import { readPricingConfig } from './config.ts';

runProcess('pricing', async (life) => {
  const config = readPricingConfig(process.env);
  const { region, instance, host } = config;
  const log = createLog({ name: 'pricing', level: config.logLevel, region, instance });
  const metrics = createMetrics({ service: 'pricing', region, instance });
  const tracing = await startTracing({ service: 'pricing', region, instance, otlpEndpoint: config.otlpEndpoint });
  life.add({ name: 'tracing', stop: () => tracing.stop() });
  const db = openDatabase(mysqlOf(config), { log, metrics });
  life.add({ name: 'mysql', stop: () => db.close() });

  const { http, rpc, cards } = buildPricing({ db, nowMs: Date.now, log, metrics });
  life.add({ name: 'fare cards', start: async () => cards.start(), stop: () => cards.stop() });
  life.add(rpcServerPart({ host, port: config.grpcPort, services: [rpc], log, metrics }));
  life.add(httpPart(http, { host, port: config.httpPort }));
  return { log };
});
