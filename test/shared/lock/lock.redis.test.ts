/** The lock hint on a real Redis: who works, who stands back, and what happens without Redis. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLock } from '../../../shared/lock/lock.ts';
import { closeRedis, openRedis, redisReady } from '../../../shared/redis/redis.ts';
import type { Redis } from '../../../shared/redis/redis.ts';
import { startRedis } from '../../harness/redis.ts';
import type { TestRedis } from '../../harness/redis.ts';
import { recordedLog } from '../recorded-log.ts';
import { until } from '../until.ts';

describe('lock hint', () => {
  let server: TestRedis;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url, { log: recordedLog(), name: 'lock' });
    await redisReady(redis, 2000);
  });

  afterAll(async () => {
    await closeRedis(redis);
    await server?.stop();
  });

  it('while one works, another is told so and does nothing; afterwards it may', async () => {
    const lock = createLock(redis, { log: recordedLog() });
    const other = createLock(redis, { log: recordedLog() });
    const outcome = await lock.withHint('ride 1', 5000, async () => {
      expect(await other.withHint('ride 1', 5000, async () => expect.unreachable())).toEqual({ kind: 'held-elsewhere' });
      expect(await other.withHint('ride 2', 5000, async () => 'another thing')).toEqual({ kind: 'ran', value: 'another thing' });
      return 'done';
    });
    expect(outcome).toEqual({ kind: 'ran', value: 'done' });
    expect(await other.withHint('ride 1', 5000, async () => 'now')).toEqual({ kind: 'ran', value: 'now' });
  });

  it('work that throws gives the hint back, and its error arrives unchanged', async () => {
    const lock = createLock(redis, { log: recordedLog() });
    const error = new Error('no');
    await expect(lock.withHint('k', 5000, () => Promise.reject(error))).rejects.toBe(error);
    expect(await lock.withHint('k', 5000, async () => 1)).toEqual({ kind: 'ran', value: 1 });
  });

  it('a holder that died is forgotten after the TTL', async () => {
    const lock = createLock(redis, { log: recordedLog() });
    void lock.withHint('dead', 300, () => new Promise(() => undefined));
    await until('it is held', 1000, async () => (await redis.exists('tandem:hint:dead')) === 1);
    expect(await lock.withHint('dead', 300, async () => 1)).toEqual({ kind: 'held-elsewhere' });
    await until('it runs out', 2000, async () => (await lock.withHint('dead', 300, async () => 1)).kind === 'ran');
  });

  it('without Redis the work is done all the same', async () => {
    const log = recordedLog();
    const nowhere = openRedis('redis://127.0.0.1:1', { log: recordedLog(), name: 'nowhere' });
    expect(await createLock(nowhere, { log }).withHint('k', 1000, async () => 'done')).toEqual({ kind: 'ran', value: 'done' });
    expect(log.loud()).toHaveLength(1);
    await closeRedis(nowhere);
  });
});
