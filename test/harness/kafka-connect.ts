/**
 * A Kafka Connect worker of one's own, with Debezium's connectors on its class path, driven over its REST interface.
 *
 * Invariant: one worker, distributed mode (offsets, configurations and history in topics of the broker given), so that killing it and
 * starting it again loses nothing. Its jars are optional: kafkaConnectIsHere() says whether they could be had.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { locateKafkaConnect } from '../../deploy/local/programs/kafka-connect-jars.ts';
import { locateJava } from '../../deploy/local/programs/locate.ts';
import { writeAtomic } from '../../deploy/local/servers/files.ts';
import { probeHttp } from '../../deploy/local/servers/probes.ts';
import { LOOPBACK } from '../../deploy/local/servers/server-spec.ts';
import { sleep } from '../../shared/kernel/deadline.ts';
import { freePort } from './free-port.ts';
import { found, testCache } from './programs.ts';
import { makeTestDir, startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

const STATE_DEADLINE_MS = 60_000;
const REST_DEADLINE_MS = 60_000;
const POLL_MS = 100;

export type ConnectorConfig = Readonly<Record<string, string | number | boolean>>;

export interface TestKafkaConnect extends ServerProcess {
  /** Creates or changes a connector and waits until it and its tasks run. Throws with the trace where they fail. */
  put(name: string, config: ConnectorConfig): Promise<void>;
  /** Resolves once a source connector has noted its first position: stopped before, it would begin anew, or nowhere. */
  untilPositioned(name: string): Promise<void>;
  /** Ends the tasks; offsets stay. */
  stopConnector(name: string): Promise<void>;
  /** Starts the tasks again where they left off. */
  resumeConnector(name: string): Promise<void>;
  /** What a failed task says; null where all run. */
  troubleOf(name: string): Promise<string | null>;
}

export function kafkaConnectIsHere(): boolean {
  return locateKafkaConnect(testCache()) !== null;
}

export async function startKafkaConnect({ broker, heapMib = 512 }: { broker: string; heapMib?: number }): Promise<TestKafkaConnect> {
  const java = found('java 17 or newer', await locateJava());
  const jars = found('Kafka Connect with Debezium', locateKafkaConnect(testCache()));
  const dir = await makeTestDir('connect');
  const port = await freePort();
  const properties = path.join(dir, 'worker.properties');
  const server = await startServer({
    command: java,
    args: [`-Xmx${heapMib}m`, '-Xms64m', '-XX:+ExitOnOutOfMemoryError', '-Djava.net.preferIPv4Stack=true', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-cp', path.join(jars, '*'), 'org.apache.kafka.connect.cli.ConnectDistributed', properties],
    env: {},
    prepare: async () => {
      await mkdir(dir, { recursive: true });
      await writeAtomic(properties, workerProperties(broker, port));
    },
    ready: () => probeHttp(port, '/connectors'),
  }, dir);
  const rest = new ConnectRest(port);
  return Object.assign(server, {
    put: async (name: string, config: ConnectorConfig) => {
      await rest.send('PUT', `/connectors/${name}/config`, config);
      await rest.untilState(name, 'RUNNING');
    },
    untilPositioned: (name: string) => rest.untilPositioned(name),
    stopConnector: async (name: string) => {
      await rest.send('PUT', `/connectors/${name}/stop`);
      await rest.untilState(name, 'STOPPED');
    },
    resumeConnector: async (name: string) => {
      await rest.send('PUT', `/connectors/${name}/resume`);
      await rest.untilState(name, 'RUNNING');
    },
    troubleOf: async (name: string) => (await rest.status(name)).trouble,
  });
}

function workerProperties(broker: string, port: number): string {
  const settings: Record<string, string | number | boolean> = {
    'bootstrap.servers': broker,
    'group.id': 'connect',
    'listeners': `http://${LOOPBACK}:${port}`,
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'plugin.discovery': 'service_load',
    'offset.flush.interval.ms': 1_000,
    'scheduled.rebalance.max.delay.ms': 0,
    // A killed worker's place is free after this long; brokers take nothing shorter.
    'session.timeout.ms': 6_000,
    'heartbeat.interval.ms': 1_500,
  };
  for (const kind of ['offset', 'config', 'status']) {
    settings[`${kind}.storage.topic`] = `connect.${kind}`;
    settings[`${kind}.storage.replication.factor`] = 1;
    if (kind !== 'config') settings[`${kind}.storage.partitions`] = 1;
  }
  return `${Object.entries(settings).map(([key, value]) => `${key}=${value}`).join('\n')}\n`;
}

interface ConnectorStatus { readonly state: string; readonly tasks: readonly string[]; readonly trouble: string | null }

class ConnectRest {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  async send(method: string, url: string, body?: unknown): Promise<unknown> {
    const end = performance.now() + REST_DEADLINE_MS;
    for (;;) {
      const response = await fetch(`http://${LOOPBACK}:${this.#port}${url}`, {
        method, signal: AbortSignal.timeout(REST_DEADLINE_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      const text = await response.text();
      if (response.ok) return text === '' ? null : JSON.parse(text);
      // 409: the group rebalances; 404 of a connector that was made a moment ago.
      if ((response.status !== 409 && response.status !== 404) || performance.now() > end) throw new Error(`${method} ${url}: ${response.status} ${text.slice(0, 2_000)}`);
      await sleep(POLL_MS);
    }
  }

  async status(name: string): Promise<ConnectorStatus> {
    const { connector, tasks } = (await this.send('GET', `/connectors/${name}/status`)) as {
      connector: { state: string; trace?: string }; tasks: { state: string; trace?: string }[];
    };
    const failed = [connector, ...tasks].find(({ state }) => state === 'FAILED');
    return { state: connector.state, tasks: tasks.map(({ state }) => state), trouble: failed === undefined ? null : (failed.trace ?? 'FAILED') };
  }

  async untilPositioned(name: string): Promise<void> {
    const end = performance.now() + STATE_DEADLINE_MS;
    for (;;) {
      const { offsets } = (await this.send('GET', `/connectors/${name}/offsets`)) as { offsets: readonly { offset: Record<string, unknown> | null }[] };
      // A position within the snapshot is marked as such: the stream has none yet.
      if (offsets.some(({ offset }) => offset !== null && offset['pos'] !== undefined && !('snapshot' in offset))) return;
      if (performance.now() > end) throw new Error(`connector ${name} has noted no position after ${STATE_DEADLINE_MS} ms: ${JSON.stringify(offsets)}`);
      await sleep(POLL_MS);
    }
  }

  async untilState(name: string, wanted: 'RUNNING' | 'STOPPED'): Promise<void> {
    const end = performance.now() + STATE_DEADLINE_MS;
    for (;;) {
      const { state, tasks, trouble } = await this.status(name);
      if (trouble !== null) throw new Error(`connector ${name} failed: ${trouble.slice(0, 3_000)}`);
      const isThere = wanted === 'STOPPED' ? state === 'STOPPED' && tasks.length === 0 : state === 'RUNNING' && tasks.length > 0 && tasks.every((task) => task === 'RUNNING');
      if (isThere) return;
      if (performance.now() > end) throw new Error(`connector ${name} is ${state} with tasks ${tasks.join(', ') || 'none'}, not ${wanted}, after ${STATE_DEADLINE_MS} ms`);
      await sleep(POLL_MS);
    }
  }
}
