/**
 * Kafka 4.2 in KRaft mode: one process is broker and controller of one region, small enough for a laptop.
 *
 * Invariant: storage is formatted once, under the cluster id of the region; a formatted directory is never formatted again.
 * Replication factor 1 on purpose: the second copy of a change is the peer's database, not another broker.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { PRIVATE_DIR, writeAtomic } from './files.ts';
import { probeKafka } from './probes.ts';
import { LOOPBACK } from './server-spec.ts';
import type { ServerSpec } from './server-spec.ts';

const FORMAT_DEADLINE_MS = 60_000;
/** What Kafka calls a UUID: 16 bytes in base64url. */
const CLUSTER_ID_BYTES = 16;

export interface KafkaOptions {
  readonly java: string;
  /** A directory with the broker's jars. */
  readonly jars: string;
  readonly dir: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly nodeId: number;
  /** 22 characters, as newClusterId() makes them. */
  readonly clusterId: string;
  readonly heapMib?: number;
}

export function kafkaServer(options: KafkaOptions): ServerSpec {
  const properties = path.join(options.dir, 'server.properties');
  return {
    command: options.java,
    args: [...jvmArgs(options), 'kafka.Kafka', properties],
    env: {},
    prepare: async () => {
      await mkdir(options.dir, { recursive: true, mode: PRIVATE_DIR });
      await writeAtomic(properties, kafkaProperties(options));
      await formatStorage(options, properties);
    },
    ready: () => probeKafka(options.port),
  };
}

/** The id of a new cluster; never beginning with '-', which Kafka's tools would take for an option. */
export function newClusterId(): string {
  const id = randomBytes(CLUSTER_ID_BYTES).toString('base64url');
  return id.startsWith('-') ? newClusterId() : id;
}

function jvmArgs({ jars, heapMib = 256 }: KafkaOptions): string[] {
  return [
    `-Xmx${heapMib}m`,
    '-Xms64m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:+ExitOnOutOfMemoryError',
    '-Djava.net.preferIPv4Stack=true',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS',
    '-cp',
    path.join(jars, '*'),
  ];
}

/** meta.properties is the last thing the tool writes, so its presence means a finished format. */
async function formatStorage(options: KafkaOptions, properties: string): Promise<void> {
  const logs = logDir(options);
  if (existsSync(path.join(logs, 'meta.properties'))) return;
  await rm(logs, { recursive: true, force: true });
  try {
    const tool = ['kafka.tools.StorageTool', 'format', '--cluster-id', options.clusterId, '--config', properties];
    await promisify(execFile)(options.java, [...jvmArgs(options), ...tool], { timeout: FORMAT_DEADLINE_MS, maxBuffer: 4 * 1024 * 1024 });
  } catch (cause) {
    throw new TandemError('kafka-failed', `cannot format Kafka's storage in ${logs}`, { cause });
  }
}

function logDir({ dir }: KafkaOptions): string {
  return path.join(dir, 'log');
}

function kafkaProperties(options: KafkaOptions): string {
  const { port, controllerPort, nodeId } = options;
  const settings: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': nodeId,
    'controller.quorum.voters': `${nodeId}@${LOOPBACK}:${controllerPort}`,
    'listeners': `PLAINTEXT://${LOOPBACK}:${port},CONTROLLER://${LOOPBACK}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${LOOPBACK}:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logDir(options),
    // A mistyped topic must fail, not come to life with one partition.
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A killed broker may come back only once its old session is over; the default of 9 s is a long outage for one that restarts in 2.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'background.threads': 2,
    // The default buffer of 128 MiB is half of this heap.
    'log.cleaner.dedupe.buffer.size': 4 * 1024 * 1024,
    'log.segment.bytes': 64 * 1024 * 1024,
    'log.index.size.max.bytes': 1024 * 1024,
    'log.retention.hours': 72,
  };
  return `${Object.entries(settings).map(([key, value]) => `${key}=${value}`).join('\n')}\n`;
}
