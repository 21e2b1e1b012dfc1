/** The location process: reads its configuration, wires the service and runs it. Nothing else happens here. */
import { openEtcd } from '../../shared/etcd/etcd.ts';
import { watchPolicy } from '../../shared/etcd/policy.ts';
import { watchUnits } from '../../shared/etcd/units.ts';
import { createVerifier } from '../../shared/http/auth.ts';
import { httpPart } from '../../shared/http/http-server.ts';
import { runProcess } from '../../shared/lifecycle/run-process.ts';
import { closeRedis, openRedis } from '../../shared/redis/redis.ts';
import { rpcServerPart } from '../../shared/rpc/rpc-server.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { createMetrics } from '../../shared/telemetry/metrics.ts';
import { startTracing } from '../../shared/telemetry/tracing.ts';
import { buildLocation } from './app.ts';
import { readLocationConfig } from './config.ts';
import { POLICY_NAME, REAL_TIME, parseWorldSpeed } from './domain/world-speed.ts';
import { openDispatch } from './rpc/driver-events.ts';

runProcess('location', async (life) => {
  const config = readLocationConfig(process.env);
  const { region, instance, host } = config;
  const log = createLog({ name: 'location', level: config.logLevel, region, instance });
  const metrics = createMetrics({ service: 'location', region, instance });
  const tracing = await startTracing({ service: 'location', region, instance, otlpEndpoint: config.otlpEndpoint });
  life.add({ name: 'tracing', stop: () => tracing.stop() });
  const etcd = openEtcd({ endpoints: config.etcd, log });
  life.add({ name: 'etcd', stop: () => etcd.close() });
  const units = await watchUnits(etcd, { region, log });
  life.add({ name: 'units', stop: async () => units.stop() });
  const worldSpeed = await watchPolicy(etcd, POLICY_NAME, parseWorldSpeed, REAL_TIME, { log });
  life.add({ name: 'policy', stop: async () => worldSpeed.stop() });
  const redis = openRedis(config.redisUrl.reveal(), { log, name: instance });
  life.add({ name: 'redis', stop: () => closeRedis(redis) });
  const blockingRedis = openRedis(config.redisUrl.reveal(), { log, name: `${instance}-reader`, use: 'blocking' });
  life.add({ name: 'redis reader', stop: () => closeRedis(blockingRedis) });
  const dispatch = openDispatch(config.dispatchGrpc, { log, metrics });
  life.add({ name: 'dispatch client', stop: () => dispatch.close() });

  const { http, rpc, upkeep } = buildLocation({
    redis,
    blockingRedis,
    driverEvents: (request, signal) => dispatch.call.DriverEvents(request, { signal }),
    speedFactor: () => worldSpeed.current(),
    units,
    verifyToken: createVerifier(config.jwtPublicKey),
    nowMs: Date.now,
    log,
    metrics,
  });
  life.add({ name: 'positions', start: async () => upkeep.start(), stop: () => upkeep.stop() });
  life.add(rpcServerPart({ host, port: config.grpcPort, services: [rpc], log, metrics }));
  life.add(httpPart(http, { host, port: config.httpPort }));
  return { log };
});
