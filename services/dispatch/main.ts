/**
 * The dispatch process: wires what the folders beside it define. It decides nothing.
 *
 * Order: what others stand on comes first and is stopped last; the doors (gRPC, HTTP) open last and close first.
 */
import { randomInt } from 'node:crypto';
import { HybridClock } from '../../shared/clock/hybrid-clock.ts';
import { mysqlOf } from '../../shared/config/process-config.ts';
import { openEtcd } from '../../shared/etcd/etcd.ts';
import { watchPolicy } from '../../shared/etcd/policy.ts';
import { watchUnits } from '../../shared/etcd/units.ts';
import { startRpoWatch } from '../../shared/guard/rpo-watch.ts';
import type { RpoWatch } from '../../shared/guard/rpo-watch.ts';
import { createVerifier } from '../../shared/http/auth.ts';
import { httpPart } from '../../shared/http/http-server.ts';
import { startLeasedIds } from '../../shared/id/leased-ids.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Lifecycle } from '../../shared/lifecycle/lifecycle.ts';
import { runProcess } from '../../shared/lifecycle/run-process.ts';
import { openDatabase } from '../../shared/mysql/database.ts';
import { closeRedis, openRedis } from '../../shared/redis/redis.ts';
import { rpcServerPart } from '../../shared/rpc/rpc-server.ts';
import { newestMigration } from '../../shared/schema/migrations.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import { createMetrics } from '../../shared/telemetry/metrics.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import { startTracing } from '../../shared/telemetry/tracing.ts';
import { buildDispatch } from './app.ts';
import { readDispatchConfig } from './config.ts';
import type { DispatchConfig } from './config.ts';
import { Dispatcher } from './dispatcher.ts';
import { buildDriverFeed, buildRideFeed } from './events/feeds.ts';
import { RedisNudges } from './events/nudges.ts';
import { createDispatchMetrics, observeFollowers } from './metrics.ts';
import { DEFAULT_POLICY, parsePolicy } from './policy.ts';
import type { DispatchDeps } from './ports.ts';
import { driverEventsService } from './rpc/driver-events-service.ts';
import { openLocation } from './rpc/location-client.ts';
import { openPricing } from './rpc/pricing-client.ts';

const READY_PING_MS = 200;

runProcess('dispatch', async (life) => {
  const config = readDispatchConfig(process.env);
  const { region, instance } = config;
  const log = createLog({ name: 'dispatch', level: config.logLevel, region, instance });
  const metrics = createMetrics({ service: 'dispatch', region, instance });
  const { dispatch, nudges, writes } = await connect(life, { config, log, metrics });
  const rideFeed = buildRideFeed({ db: dispatch.db, log });
  const driverFeed = buildDriverFeed({ db: dispatch.db, log });
  const dispatcher = new Dispatcher(dispatch);
  observeFollowers(metrics, { rides: rideFeed, drivers: driverFeed });
  nudges.listen({ onRide: (id) => rideFeed.nudge(id), onDriver: (id) => driverFeed.nudge(id), onSearch: () => dispatcher.wake() });
  life.add({ name: 'nudges', start: async () => nudges.start() });
  life.add({ name: 'ride feed', start: async () => rideFeed.start(), stop: () => rideFeed.stop() });
  life.add({ name: 'driver feed', start: async () => driverFeed.start(), stop: () => driverFeed.stop() });
  life.add({ name: 'dispatcher', start: async () => dispatcher.start(), drain: () => dispatcher.stop() });
  life.add(rpcServerPart({ host: config.host, port: config.grpcPort, services: [driverEventsService(driverFeed)], log, metrics }));
  const app = buildDispatch({
    dispatch, rideFeed, writes, log, metrics,
    verifyToken: createVerifier(config.jwtPublicKey),
    checks: { database: async () => dispatch.db.ping(READY_PING_MS), ids: async () => assertIds(dispatch) },
  });
  life.add(httpPart(app, { host: config.host, port: config.httpPort }));
  return { log };
});

/** Everything outside of this process that dispatch stands on. */
async function connect(
  life: Lifecycle,
  { config, log, metrics }: { config: DispatchConfig; log: Log; metrics: Metrics },
): Promise<{ dispatch: DispatchDeps & { ids: { remainingMs: number } }; nudges: RedisNudges; writes: RpoWatch }> {
  const { region, regions, instance } = config;
  const tracing = await startTracing({ service: 'dispatch', region, instance, otlpEndpoint: config.otlpEndpoint });
  life.add({ name: 'tracing', stop: () => tracing.stop() });
  const etcd = openEtcd({ endpoints: config.etcd, log });
  life.add({ name: 'etcd', stop: () => etcd.close() });
  const units = await watchUnits(etcd, { region, log });
  life.add({ name: 'units', stop: async () => units.stop() });
  const policy = await watchPolicy(etcd, 'dispatch', parsePolicy, DEFAULT_POLICY, { log });
  life.add({ name: 'policy', stop: async () => policy.stop() });
  const ids = await startLeasedIds({ etcd, region, origin: regions.originOf(region), owner: instance, schema: await newestMigration(), log });
  life.add({ name: 'ids', stop: () => ids.stop() });
  metrics.observe('tandem_id_window_ms', 'How long ids last without etcd.', [], (report) => report(ids.remainingMs));
  const db = openDatabase(mysqlOf(config), { log, metrics });
  life.add({ name: 'database', stop: () => db.close() });
  const writes = await startRpoWatch({ region, regions, db, etcd, log, metrics, nowMs: Date.now });
  life.add({ name: 'rpo guard', stop: () => writes.stop() });
  const commands = openRedis(config.redisUrl.reveal(), { log, name: `${instance}-nudges` });
  const subscriber = openRedis(config.redisUrl.reveal(), { log, name: `${instance}-nudged` });
  life.add({ name: 'redis', stop: async () => void (await Promise.all([commands, subscriber].map(closeRedis))) });
  const pricing = openPricing({ targets: config.pricing, log, metrics });
  const location = openLocation({ targets: config.location, log, metrics });
  life.add({ name: 'rpc clients', stop: async () => void (await Promise.all([pricing.close(), location.close()])) });
  const nudges = new RedisNudges({ commands, subscriber, log });
  const dispatch = {
    region, regions, db, ids, units, policy, pricing, location, nudges, log,
    clock: new HybridClock({ nowMs: Date.now }),
    metrics: createDispatchMetrics(metrics),
    nowMs: Date.now,
    randomBelow: (limit: number) => randomInt(limit),
  };
  return { dispatch, nudges, writes };
}

async function assertIds({ ids }: { ids: { remainingMs: number } }): Promise<void> {
  if (ids.remainingMs === 0) throw new TandemError('id-window-exhausted', 'no ids to give out');
}
