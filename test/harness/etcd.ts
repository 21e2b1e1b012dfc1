/** An etcd cluster of one's own for a test: one member unless more are asked for. */
import { locateEtcd } from '../../deploy/local/programs/locate.ts';
import { etcdServer } from '../../deploy/local/servers/etcd.ts';
import { LOOPBACK } from '../../deploy/local/servers/server-spec.ts';
import { freePort } from './free-port.ts';
import { found, testCache } from './programs.ts';
import { makeTestDir, startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

export interface TestEtcd extends AsyncDisposable {
  readonly host: string;
  /** Of the first member. */
  readonly port: number;
  /** host:port of every member. */
  readonly endpoints: string[];
  readonly members: readonly ServerProcess[];
  /** Of every member. */
  kill9(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startEtcd(options: { members?: number } = {}): Promise<TestEtcd> {
  const program = found('etcd', locateEtcd(testCache()));
  const names = Array.from({ length: options.members ?? 1 }, (_, i) => `m${i + 1}`);
  const members = await Promise.all(names.map(async (name) => ({ name, clientPort: await freePort(), peerPort: await freePort() })));
  // All at once: a member is not ready before a majority is there.
  const started = await Promise.allSettled(members.map(async (member) => {
    const dir = await makeTestDir(`etcd-${member.name}`);
    return startServer(etcdServer({ program, dir: `${dir}/data`, member, members, token: `test-${process.pid}` }), dir);
  }));
  const servers = started.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []));
  const stop = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.stop())));
  const failed = started.find((s) => s.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  return {
    host: LOOPBACK,
    port: members[0]?.clientPort ?? 0,
    endpoints: members.map((m) => `${LOOPBACK}:${m.clientPort}`),
    members: servers,
    kill9: async () => void (await Promise.all(servers.map((server) => server.kill9()))),
    restart: async () => void (await Promise.all(servers.map((server) => server.restart()))),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
