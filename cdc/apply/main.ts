/** The apply process of a region: wiring only. It reads the peer's topic and writes this region's database. */
import { readConfig } from '../../shared/config/config.ts';
import { mysqlOf } from '../../shared/config/process-config.ts';
import { buildHttp, httpPart } from '../../shared/http/http-server.ts';
import { openKafka } from '../../shared/kafka/kafka.ts';
import { TandemError, isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { Lifecycle } from '../../shared/lifecycle/lifecycle.ts';
import { runProcess } from '../../shared/lifecycle/run-process.ts';
import { keepHeapSmall } from '../../shared/lifecycle/small-heap.ts';
import { openDatabase } from '../../shared/mysql/database.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { loadConflictRules } from '../../shared/schema/conflict-rules-file.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { createMetrics } from '../../shared/telemetry/metrics.ts';
import { startTracing } from '../../shared/telemetry/tracing.ts';
import { addApplyControl } from '../operate/apply-control.ts';
import { operatorCheck } from '../operate/part-routes.ts';
import { observeApply } from './apply-metrics.ts';
import { startApply } from './apply.ts';
import type { Apply } from './apply.ts';
import { applyConfig } from './config.ts';
import type { ApplyConfig } from './config.ts';
import { addLagRoute } from './lag-route.ts';
import { LagRing } from './lag.ts';

const SERVICE = 'apply';
const POOL_SIZE = 2;

keepHeapSmall();
runProcess(SERVICE, async (life: Lifecycle) => {
  const config = readConfig(applyConfig, process.env);
  const { region, instance, regions } = config;
  const log = createLog({ name: SERVICE, level: config.logLevel, region, instance });
  const metrics = createMetrics({ service: SERVICE, region, instance });
  const tracing = await startTracing({ service: SERVICE, region, instance, otlpEndpoint: config.otlpEndpoint });
  const kafka = openKafka({ brokers: config.peerKafka, clientId: instance, log });
  const ownKafka = openKafka({ brokers: config.kafka, clientId: instance, log });
  /** For operators; what is applied has connections of its own. */
  const database = openDatabase({ ...mysqlOf(config), poolSize: POOL_SIZE }, { log, metrics });
  let apply: Apply | undefined;
  const observer = observeApply(metrics, () => apply);

  const ready = async (): Promise<void> => {
    const trouble = apply === undefined ? 'starting' : apply.trouble;
    // A pause is what somebody wanted.
    if (trouble !== null && apply?.isPaused !== true) throw new TandemError('not-ready', trouble);
  };
  const http = buildHttp({ name: SERVICE, log, metrics, checks: { apply: ready }, ...operatorCheck(config.jwtPublicKey) });
  const source = regions.peerOf(region);
  const pauses = addApplyControl(http, { region, source, database, log, metrics, current: () => apply });
  const noLag = new LagRing();
  addLagRoute(http, () => apply?.lag ?? noLag);

  life.add({ name: 'tracing', stop: () => tracing.stop() });
  life.add({ name: 'clients', stop: async () => void (await Promise.all([database.close(), kafka.close(), ownKafka.close(), metrics.stop()])) });
  life.add(httpPart(http, { host: config.host, port: config.httpPort }));
  life.add(pauses);
  life.add({
    name: SERVICE,
    start: async () => {
      await checkRules(config);
      apply = pauses.hold(startApply({
        region, regions, peer: source, mysql: mysqlOf(config), kafka, ownKafka, log, observer, rulesFile: config.conflictRules,
        poison: { tries: config.tries, policy: config.poisonPolicy },
      }));
    },
    stop: async () => apply?.stop(),
    stopDeadlineMs: 8_000,
  });
  return { log };
});

/** Throws conflict-rules-invalid. A database that is away now is asked again when there is something to apply. */
async function checkRules(config: ApplyConfig): Promise<void> {
  let connection: RawConnection | undefined;
  try {
    connection = await openRawConnection(mysqlOf(config), { role: 'apply' });
    await loadConflictRules(connection, { file: config.conflictRules });
  } catch (error) {
    if (isTandemError(error, 'conflict-rules-invalid')) throw error;
  } finally {
    await connection?.close();
  }
}
