/** The Redis connection against a real server that crashes, freezes, and turns read-only. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { closeRedis, openRedis, redisReady } from '../../../shared/redis/redis.ts';
import type { Redis } from '../../../shared/redis/redis.ts';
import { startRedis } from '../../harness/redis.ts';
import type { TestRedis } from '../../harness/redis.ts';
import { recordedLog } from '../recorded-log.ts';
import type { RecordedLog } from '../recorded-log.ts';
import { until } from '../until.ts';

describe('redis', () => {
  let server: TestRedis;
  let redis: Redis;
  let log: RecordedLog;

  beforeAll(async () => {
    server = await startRedis();
  });

  beforeEach(async () => {
    log = recordedLog();
    redis = openRedis(server.url, { log, name: 'test' });
    await redisReady(redis, 2000);
  });

  afterEach(async () => {
    await closeRedis(redis);
  });

  afterAll(async () => {
    await server?.stop();
  });

  it('is named to the server and answers as ever', async () => {
    await redis.hset('h', { a: '1', b: '2' });
    expect(await redis.hgetall('h')).toEqual({ a: '1', b: '2' });
    expect(await redis.client('GETNAME')).toBe('test');
  });

  it('no server: redisReady throws by its deadline, a command fails at once, and the log says it once', async () => {
    const lonely = recordedLog();
    const nowhere = openRedis('redis://127.0.0.1:1', { log: lonely, name: 'nowhere' });
    await expect(redisReady(nowhere, 500)).rejects.toMatchObject({ code: 'redis-unavailable' });
    await expect(nowhere.get('x')).rejects.toThrow();
    expect(lonely.loud()).toHaveLength(1);
    await closeRedis(nowhere);
  });

  it('after a crash commands fail at once, none is queued, and the connection comes back by itself', async () => {
    await redis.set('n', 1);
    await server.kill9();
    await until('the loss is noticed', 2000, () => redis.status !== 'ready');
    await expect(redis.incr('n')).rejects.toThrow();
    await server.restart();
    await redisReady(redis, 5000);
    // Neither the failed command nor anything else was sent behind our back.
    expect(await redis.get('n')).toBeOneOf([null, '1']);
    expect(log.loud()).toHaveLength(1);
    expect(log.lines.filter(({ level }) => level === 'info')).toHaveLength(1);
  });

  it('a frozen server fails a command within its time-out', async () => {
    server.freeze();
    const startedAtMs = performance.now();
    try {
      await expect(redis.get('x')).rejects.toThrow(/timed out/i);
    } finally {
      server.thaw();
    }
    expect(performance.now() - startedAtMs).toBeLessThan(15_000);
    await until('it answers again', 2000, async () => (await redis.ping()) === 'PONG');
  });

  it('a server that became a replica is left: READONLY drops the connection, and writes work once it is a master again', async () => {
    const idBefore = await redis.client('ID');
    await redis.replicaof('127.0.0.1', 1);
    await expect(redis.set('x', 1)).rejects.toThrow(/READONLY/);
    await until('a new connection', 2000, async () => (await redis.client('ID')) !== idBefore);
    await redisReady(redis, 2000);
    await redis.replicaof('NO', 'ONE');
    expect(await redis.set('x', 1)).toBe('OK');
  });

  it('a blocking connection may wait longer than the command time-out', async () => {
    const blocking = openRedis(server.url, { log, name: 'reader', use: 'blocking' });
    await redisReady(blocking, 2000);
    const waiting = blocking.xread('BLOCK', 5000, 'STREAMS', 'stream', '$');
    const startedAtMs = performance.now();
    await until('past the time-out', 3000, () => performance.now() - startedAtMs > 1300);
    await redis.xadd('stream', '*', 'k', 'v');
    expect(JSON.stringify(await waiting)).toContain('"k","v"');
    await closeRedis(blocking);
  });
});
