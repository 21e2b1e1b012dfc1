/** The router's process: reads its configuration, wires the parts, runs them. */
import { createVerifier } from '../../shared/http/auth.ts';
import { httpPart } from '../../shared/http/http-server.ts';
import { openEtcd } from '../../shared/etcd/etcd.ts';
import { watchUnits } from '../../shared/etcd/units.ts';
import type { UnitMap } from '../../shared/etcd/units.ts';
import { runProcess } from '../../shared/lifecycle/run-process.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { createMetrics } from '../../shared/telemetry/metrics.ts';
import { startTracing } from '../../shared/telemetry/tracing.ts';
import { buildRouter } from './app.ts';
import { readRouterConfig } from './config.ts';
import { PEER, Upstreams } from './proxy/upstreams.ts';

runProcess('router', async (life) => {
  const config = readRouterConfig(process.env);
  const { region, regions, instance, host, httpPort } = config;
  const log = createLog({ name: 'router', level: config.logLevel, region, instance });
  const metrics = createMetrics({ service: 'router', region, instance });
  const tracing = await startTracing({ service: 'router', region, instance, otlpEndpoint: config.otlpEndpoint });
  const etcd = openEtcd({ endpoints: config.etcd, log });
  const hostPortsOf = new Map([...config.upstreams, [PEER, [new URL(config.peerRouter).host]] as const]);
  const upstreams = new Upstreams({ hostPortsOf, log, nowMs });
  let units: UnitMap | undefined;
  const { app, streams } = buildRouter({
    region, regions, upstreams, log, metrics, nowMs,
    homeOfUnit: (unit) => units?.homeOf(unit).home,
    verifyToken: createVerifier(config.jwtPublicKey),
  });

  life.add({ name: 'telemetry', stop: async () => void (await Promise.all([tracing.stop(), metrics.stop()])) });
  life.add({ name: 'etcd', stop: () => etcd.close() });
  life.add({
    name: 'units',
    start: async () => {
      units = await watchUnits(etcd, { region, log });
      units.onChange(() => streams.endMoved());
    },
    stop: async () => units?.stop(),
  });
  life.add({ name: 'upstreams', start: () => upstreams.start(), stop: () => upstreams.stop() });
  life.add(httpPart(app, { host, port: httpPort }));
  life.add({ name: 'streams', stop: () => streams.endAll('this router is stopping') });
  return { log };
});

/** Monotonic. */
function nowMs(): number {
  return performance.now();
}
