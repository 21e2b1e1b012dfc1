/** A Kafka broker of one's own for a test. */
import { locateJava, locateKafkaJars } from '../../deploy/local/programs/locate.ts';
import { kafkaServer, newClusterId } from '../../deploy/local/servers/kafka.ts';
import { LOOPBACK } from '../../deploy/local/servers/server-spec.ts';
import { freePort } from './free-port.ts';
import { found, testCache } from './programs.ts';
import { makeTestDir, startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

export interface TestKafka extends ServerProcess {
  readonly host: string;
  readonly port: number;
  /** host:port, as TANDEM_KAFKA has it. */
  readonly broker: string;
}

export async function startKafka(): Promise<TestKafka> {
  const java = found('java 17 or newer', await locateJava());
  const jars = found('Kafka', locateKafkaJars(testCache()));
  const dir = await makeTestDir('kafka');
  const [port, controllerPort] = [await freePort(), await freePort()];
  const server = await startServer(kafkaServer({ java, jars, dir, port, controllerPort, nodeId: 1, clusterId: newClusterId() }), dir);
  return Object.assign(server, { host: LOOPBACK, port, broker: `${LOOPBACK}:${port}` });
}
