/** Claims of the nudges: heard by other processes through Redis, by one's own without it, and harmless while it is away. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withDeadline } from '../../../shared/kernel/deadline.ts';
import { closeRedis, openRedis, redisReady } from '../../../shared/redis/redis.ts';
import type { Redis } from '../../../shared/redis/redis.ts';
import { nobody } from '../../../services/dispatch/flows/write.ts';
import { DRIVER_CHANNEL, RedisNudges, RIDE_CHANNEL } from '../../../services/dispatch/events/nudges.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';
import { startRedis } from '../../harness/redis.ts';
import type { TestRedis } from '../../harness/redis.ts';

const DEADLINE_MS = 20_000;

let server: TestRedis;
const connections: Redis[] = [];

beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await Promise.all(connections.map(closeRedis));
  await server.stop();
});

function connect(name: string): Redis {
  const redis = openRedis(server.url, { log: SILENT_LOG, name });
  connections.push(redis);
  return redis;
}

async function buildNudges(name: string) {
  const [commands, subscriber] = [connect(`${name}-out`), connect(`${name}-in`)];
  const nudges = new RedisNudges({ commands, subscriber, log: SILENT_LOG });
  const heard: string[] = [];
  nudges.listen({ onRide: (id) => heard.push(`ride ${id}`), onDriver: (id) => heard.push(`driver ${id}`), onSearch: () => heard.push('search') });
  nudges.start();
  await redisReady(commands, DEADLINE_MS);
  return { nudges, heard, commands };
}

/** Until both channels have that many subscribers: the subscription is made behind the scenes. */
async function subscribed(redis: Redis, count: number): Promise<void> {
  await withDeadline('subscriptions', DEADLINE_MS, async (signal) => {
    for (;;) {
      signal.throwIfAborted();
      const [, rides, , drivers] = (await redis.pubsub('NUMSUB', RIDE_CHANNEL, DRIVER_CHANNEL).catch(() => [])) as unknown[];
      if (Number(rides) >= count && Number(drivers) >= count) return;
      await new Promise(setImmediate);
    }
  });
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  await withDeadline(what, DEADLINE_MS, async (signal) => {
    while (!isSo()) {
      signal.throwIfAborted();
      await new Promise(setImmediate);
    }
  });
}

test('news of one process is heard by the other, also after Redis was away; without Redis by the process itself', async () => {
  const one = await buildNudges('one');
  const other = await buildNudges('other');
  await subscribed(one.commands, 2);
  one.nudges.publish({ rideIds: new Set([7n]), driverIds: new Set([9n]), search: true });
  expect(one.heard).toEqual(['ride 7', 'driver 9', 'search']);
  await until('the other hears', () => other.heard.length === 2);
  expect(other.heard).toEqual(['ride 7', 'driver 9']);
  await server.kill9();
  one.nudges.publish({ ...nobody(), rideIds: new Set([8n]) });
  expect(one.heard).toContain('ride 8');
  await server.restart();
  await subscribed(one.commands, 2);
  one.nudges.publish({ ...nobody(), driverIds: new Set([10n]) });
  await until('the other hears again', () => other.heard.includes('driver 10'));
  expect(other.heard).not.toContain('ride 8');
}, 60_000);
