/** A Redis of one's own for a test. */
import { randomBytes } from 'node:crypto';
import { locateRedis } from '../../deploy/local/programs/locate.ts';
import { redisServer } from '../../deploy/local/servers/redis.ts';
import { LOOPBACK } from '../../deploy/local/servers/server-spec.ts';
import { freePort } from './free-port.ts';
import { found, testCache } from './programs.ts';
import { makeTestDir, startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

export interface TestRedis extends ServerProcess {
  readonly host: string;
  readonly port: number;
  readonly password: string;
  /** redis://:password@host:port, as TANDEM_REDIS_URL has it. */
  readonly url: string;
}

export async function startRedis(): Promise<TestRedis> {
  const program = found('redis-server', locateRedis(testCache()));
  const dir = await makeTestDir('redis');
  const port = await freePort();
  const password = randomBytes(12).toString('hex');
  const server = await startServer(redisServer({ program, dir, port, password }), dir);
  return Object.assign(server, { host: LOOPBACK, port, password, url: `redis://:${password}@${LOOPBACK}:${port}` });
}
