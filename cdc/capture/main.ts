/**
 * The capture process of a region: wiring only.
 *
 * Invariant: it refuses to start on a database with unsafe settings, reads the binlog only while it holds the region's
 * capture lock, and ends at once when that is lost; the supervisor starts it anew.
 */
import { readConfig } from '../../shared/config/config.ts';
import { mysqlOf } from '../../shared/config/process-config.ts';
import { openEtcd } from '../../shared/etcd/etcd.ts';
import { buildHttp, httpPart } from '../../shared/http/http-server.ts';
import { openKafka } from '../../shared/kafka/kafka.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Lifecycle } from '../../shared/lifecycle/lifecycle.ts';
import { EXIT_FAILED, runProcess } from '../../shared/lifecycle/run-process.ts';
import { keepHeapSmall } from '../../shared/lifecycle/small-heap.ts';
import { openDatabase } from '../../shared/mysql/database.ts';
import { REPLICATED_TABLES } from '../../shared/schema/tables.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { createMetrics } from '../../shared/telemetry/metrics.ts';
import { startTracing } from '../../shared/telemetry/tracing.ts';
import { addCaptureControl } from '../operate/capture-control.ts';
import { operatorCheck } from '../operate/part-routes.ts';
import { observeCapture } from './capture-metrics.ts';
import { startCapture } from './capture.ts';
import type { Capture } from './capture.ts';
import { captureConfig } from './config.ts';
import { takeCaptureLock } from './single-capture.ts';
import { checkSource, isRefusal } from './source-check.ts';

const SERVICE = 'capture';
/** Heartbeats, what is looked up about the server, snapshots' marks. */
const POOL_SIZE = 3;

keepHeapSmall();
runProcess(SERVICE, async (life: Lifecycle) => {
  const config = readConfig(captureConfig, process.env);
  const { region, instance, regions } = config;
  const log = createLog({ name: SERVICE, level: config.logLevel, region, instance });
  const metrics = createMetrics({ service: SERVICE, region, instance });
  const tracing = await startTracing({ service: SERVICE, region, instance, otlpEndpoint: config.otlpEndpoint });
  const mysql = mysqlOf(config);
  const database = openDatabase({ ...mysql, poolSize: POOL_SIZE }, { log, metrics });
  const kafka = openKafka({ brokers: config.kafka, clientId: instance, log });
  const etcd = openEtcd({ endpoints: config.etcd, log });
  let capture: Capture | undefined;
  const observer = observeCapture(metrics, () => capture);
  const stopping = new AbortController();

  const leave = (err: unknown, why: string): void => {
    if (stopping.signal.aborted) return;
    log.fatal({ err }, why);
    process.exit(EXIT_FAILED);
  };
  const onLost = (): void => leave(undefined, 'the capture lock is lost: another capture may be at work');
  const run = async (): Promise<void> => {
    const lock = await takeCaptureLock({ etcd, region, owner: instance, log, signal: stopping.signal, onLost });
    try {
      capture = pauses.hold(await startCapture({
        region, origin: regions.originOf(region), partitions: config.changePartitions, mysql, database, kafka, log, observer, start: config.start,
      }));
      await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve, { once: true }));
      await capture.stop();
    } finally {
      await lock.release();
    }
  };

  const ready = async (): Promise<void> => {
    const trouble = capture === undefined ? 'waits for the capture lock' : capture.trouble;
    // A pause is what somebody wanted.
    if (trouble !== null && capture?.isPaused !== true) throw new TandemError('not-ready', trouble);
  };
  const http = buildHttp({ name: SERVICE, log, metrics, checks: { capture: ready }, ...operatorCheck(config.jwtPublicKey) });
  const pauses = addCaptureControl(http, { region, peer: regions.peerOf(region), database, log, metrics, current: () => capture });
  let running: Promise<void> | undefined;
  life.add({ name: 'tracing', stop: () => tracing.stop() });
  life.add({
    name: 'clients',
    stop: async () => void (await Promise.all([database.close(), kafka.close(), etcd.close(), metrics.stop()])),
  });
  life.add(httpPart(http, { host: config.host, port: config.httpPort }));
  life.add(pauses);
  life.add({
    name: SERVICE,
    start: async () => {
      // A database that is away is waited for; one that is unsafe is refused here, before anything is read.
      await checkSource(database, REPLICATED_TABLES, null).catch((error: unknown) => {
        if (isRefusal(error)) throw error;
      });
      running = run().catch((error: unknown) => leave(error, 'capture cannot go on'));
    },
    stop: async () => {
      stopping.abort(new Error('capture stops'));
      await running;
    },
    stopDeadlineMs: 8_000,
  });
  return { log };
});
