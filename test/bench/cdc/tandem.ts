/** Tandem itself: the real capture and apply processes with the memory flags of the local stack, over the shared Kafka. */
import { generateKeyPairSync } from 'node:crypto';
import path from 'node:path';
import { ensureChangeTopic } from '../../../cdc/transport/topic.ts';
import { probeHttp } from '../../../deploy/local/servers/probes.ts';
import { MEMORY_ENV, NODE_MEMORY_ARGS } from '../../../deploy/local/stack-services.ts';
import { REPO_ROOT } from '../../../deploy/local/state-dir.ts';
import { openKafka } from '../../../shared/kafka/kafka.ts';
import type { MysqlConfig } from '../../../shared/mysql/database.ts';
import { startEtcd } from '../../harness/etcd.ts';
import { freePort } from '../../harness/free-port.ts';
import { startMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';
import { makeTestDir, startServer } from '../../harness/server-process.ts';
import type { ServerProcess } from '../../harness/server-process.ts';
import type { Contender, Source } from './contender.ts';
import { BUFFER_POOL_MIB, SOURCE_ORIGIN, TARGET_ORIGIN } from './servers.ts';

export const PARTITIONS = 4;

export interface TandemContender extends Contender {
  /** From the next start on the processes write CPU profiles into this directory when they end; null: no more. */
  profileInto(dir: string | null): void;
  /** Where a process answers HTTP. */
  url(part: Part): string;
}

type Part = 'capture' | 'apply';

export async function attachTandem({ mysql: source, broker, kafkaPid }: Source): Promise<TandemContender> {
  const [target, etcd] = await Promise.all([
    startMysql({ engine: source.engine, origin: TARGET_ORIGIN, grants: true, bufferPoolMib: BUFFER_POOL_MIB }), startEtcd(),
  ]);
  await makeTopic(broker);
  const shared = {
    TANDEM_REGIONS: `east=${SOURCE_ORIGIN},west=${TARGET_ORIGIN}`, TANDEM_ETCD: etcd.endpoints.join(','), TANDEM_LOG_LEVEL: 'warn',
    TANDEM_CHANGE_PARTITIONS: String(PARTITIONS), TANDEM_KAFKA: broker, TANDEM_PEER_KAFKA: broker, ...MEMORY_ENV,
    TANDEM_JWT_PUBLIC_KEY: publicKey(),
  };
  const ports: Record<Part, number> = { capture: await freePort(), apply: await freePort() };
  const environment: Record<Part, Record<string, string>> = {
    capture: { ...shared, TANDEM_REGION: 'east', ...login(source.users['tandem_capture']) },
    apply: { ...shared, TANDEM_REGION: 'west', ...login(target.users['tandem_apply']) },
  };
  let profileDir: string | null = null;
  const running = new Map<Part, ServerProcess>();
  const startPart = async (part: Part, isReady: () => Promise<void>): Promise<void> => {
    const dir = await makeTestDir(part);
    running.set(part, await startServer({
      command: process.execPath,
      args: [...NODE_MEMORY_ARGS, ...(profileDir === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`, `--cpu-prof-name=${part}.cpuprofile`]),
        path.join(REPO_ROOT, 'cdc', part, 'main.ts')],
      env: { ...environment[part], TANDEM_INSTANCE: `${part}-bench`, TANDEM_HTTP_PORT: String(ports[part]) },
      prepare: async () => {},
      ready: isReady,
    }, dir));
  };
  const stop = async (): Promise<void> => {
    await Promise.all([...running.values()].map((each) => each.stop()));
    running.clear();
  };
  return {
    name: 'tandem',
    target,
    settings: `${PARTITIONS} partitions, node ${NODE_MEMORY_ARGS.join(' ')}`,
    measured: ['capture', 'apply'],
    start: async () => {
      await startPart('apply', () => probeHttp(ports.apply, '/health/ready'));
      // Not awaited to be ready: the bench sees for itself when it begins to read.
      await startPart('capture', async () => {});
    },
    stop,
    pids: () => ({ source: source.pid, target: target.pid, kafka: kafkaPid, ...Object.fromEntries([...running].map(([part, { pid }]) => [part, pid])) }),
    profileInto: (dir) => void (profileDir = dir),
    url: (part) => `http://127.0.0.1:${ports[part]}`,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await Promise.all([target.stop(), etcd.stop()]);
    },
  };
}

/** Capture would make it, but apply is to be ready before capture begins. */
async function makeTopic(broker: string): Promise<void> {
  const kafka = openKafka({ brokers: [broker], clientId: 'bench', log: SILENT_LOG });
  await ensureChangeTopic(kafka, { region: 'east', partitions: PARTITIONS });
  await kafka.close();
}

function login(config: MysqlConfig | undefined): Record<string, string> {
  if (config === undefined) throw new Error('the server was started without users');
  return {
    TANDEM_MYSQL_HOST: config.host, TANDEM_MYSQL_PORT: String(config.port), TANDEM_MYSQL_USER: config.user, TANDEM_MYSQL_PASSWORD: config.password,
    TANDEM_MYSQL_DATABASE: config.database,
  };
}

/** Some key: nobody asks the control routes here. */
function publicKey(): string {
  const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  return Buffer.from(JSON.stringify({ ...jwk, alg: 'EdDSA' })).toString('base64url');
}
