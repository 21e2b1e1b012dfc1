/**
 * Redis 7 for one region: password, loopback, a memory bound, and an append-only file that survives a kill -9.
 *
 * What Redis holds can be rebuilt from the live stream, so a second of it may be lost (everysec), and under memory pressure
 * only keys with a time to live are evicted.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { PRIVATE_DIR, writeAtomic } from './files.ts';
import { probeRedis } from './probes.ts';
import { LOOPBACK } from './server-spec.ts';
import type { ServerSpec } from './server-spec.ts';

export interface RedisOptions {
  /** Path of redis-server, or of a link to it: the binary acts by the name it is called. */
  readonly program: string;
  readonly dir: string;
  readonly port: number;
  readonly password: string;
  readonly maxMemoryMib?: number;
}

export function redisServer(options: RedisOptions): ServerSpec {
  const config = path.join(options.dir, 'redis.conf');
  return {
    command: options.program,
    args: [config],
    env: {},
    prepare: async () => {
      await mkdir(options.dir, { recursive: true, mode: PRIVATE_DIR });
      await writeAtomic(config, redisConfig(options));
    },
    ready: () => probeRedis(options.port, options.password),
  };
}

function redisConfig({ dir, port, password, maxMemoryMib = 96 }: RedisOptions): string {
  return [
    `bind ${LOOPBACK}`,
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${JSON.stringify(dir)}`,
    'daemonize no',
    // Its title would be written over its environment, and what a killed supervisor leaves behind is known by that (stale.ts).
    'set-proc-title no',
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    `maxmemory ${maxMemoryMib}mb`,
    'maxmemory-policy volatile-ttl',
    'databases 1',
    'loglevel notice',
    '',
  ].join('\n');
}
