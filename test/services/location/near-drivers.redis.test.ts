/** Positions through a real Redis: who is near, who moved, and what is left when Redis goes away. */
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BUCKET_TTL_MS, FRESH_MS } from '../../../services/location/domain/cells.ts';
import { PositionBoard } from '../../../services/location/domain/position-board.ts';
import type { Position } from '../../../services/location/domain/position.ts';
import { NearDrivers } from '../../../services/location/store/near-drivers.ts';
import { PositionReader } from '../../../services/location/store/position-reader.ts';
import { PositionWriter } from '../../../services/location/store/position-writer.ts';
import { POSITIONS_STREAM } from '../../../services/location/store/redis-keys.ts';
import { closeRedis, openRedis, redisReady } from '../../../shared/redis/redis.ts';
import type { Redis } from '../../../shared/redis/redis.ts';
import { greatCircleM } from '../../../shared/unit/place.ts';
import type { Place } from '../../../shared/unit/place.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';
import { startRedis } from '../../harness/redis.ts';
import type { TestRedis } from '../../harness/redis.ts';

const TIMES_SQUARE = { lat: 40.758, lon: -73.9855 };
const written = { positions: 0, dropped: 0 };
const counts = { written: (n: number) => void (written.positions += n), dropped: (n: number) => void (written.dropped += n) };

let server: TestRedis;
let redis: Redis;
let nowMs = Date.now();
let board: PositionBoard;
let writer: PositionWriter;
let near: NearDrivers;
let fallbacks = 0;

beforeAll(async () => {
  server = await startRedis();
  redis = openRedis(server.url, { log: SILENT_LOG, name: 'test' });
  await redisReady(redis, 5_000);
});

afterAll(async () => {
  if (redis !== undefined) await closeRedis(redis);
  await server?.stop();
});

beforeEach(async () => {
  await redis.flushall();
  nowMs = Date.now();
  fallbacks = 0;
  board = new PositionBoard();
  writer = new PositionWriter({ redis, log: SILENT_LOG, counts });
  near = new NearDrivers({ redis, board, log: SILENT_LOG, nowMs: () => nowMs, onFallback: () => void (fallbacks += 1) });
});

afterEach(() => writer.stop());

const place = (northM: number, eastM = 0): Place => ({ lat: TIMES_SQUARE.lat + northM / 111_195, lon: TIMES_SQUARE.lon + eastM / 84_200 });
const seen = (driverId: string | number, at: Place, seenMs = nowMs): Position => ({ ...at, driverId: String(driverId), atMs: seenMs, seenMs });
const nearIds = async (options: { limit?: number; radiusM?: number; at?: Place } = {}) =>
  (await near.nearest({ place: options.at ?? TIMES_SQUARE, limit: options.limit ?? 20, radiusM: options.radiusM ?? 5_000 })).map((found) => found.position.driverId);

async function put(...positions: Position[]): Promise<void> {
  for (const position of positions) writer.put(position);
  await writer.flush();
}

describe('who is near', () => {
  test('comes nearest first, within the radius, at most so many, with great-circle distances', async () => {
    await put(seen(1, place(900)), seen(2, place(100)), seen(3, place(0, 4_000)), seen(4, place(6_000)));
    expect(await nearIds()).toEqual(['2', '1', '3']);
    expect(await nearIds({ limit: 2 })).toEqual(['2', '1']);
    expect(await nearIds({ radiusM: 500 })).toEqual(['2']);
    const [first] = await near.nearest({ place: TIMES_SQUARE, limit: 1, radiusM: 5_000 });
    expect(Math.abs(first!.distanceM - 100)).toBeLessThan(1);
    expect(fallbacks).toBe(0);
  });

  test('is the same as looking at everybody, wherever they are', async () => {
    const metres = fc.integer({ min: -6_000, max: 6_000 });
    await fc.assert(fc.asyncProperty(fc.array(fc.tuple(metres, metres), { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 6_000 }), async (offsets, limit, radiusM) => {
      await redis.flushall();
      const everybody = offsets.map(([northM, eastM], i) => seen(i + 1, place(northM, eastM)));
      const fresh = new PositionWriter({ redis, log: SILENT_LOG, counts });
      for (const position of everybody) fresh.put(position);
      await fresh.stop();
      const wanted = everybody.map((position) => greatCircleM(TIMES_SQUARE, position)).filter((metresAway) => metresAway <= radiusM).toSorted((a, b) => a - b).slice(0, limit);
      const got = (await near.nearest({ place: TIMES_SQUARE, limit, radiusM })).map((found) => found.distanceM);
      expect(got.map(Math.round)).toEqual(wanted.map(Math.round));
    }), { numRuns: 60 });
  });

  test('counts where a driver is now, not where they were', async () => {
    await put(seen(1, place(100)));
    await put(seen(1, place(3_000), nowMs + 1));
    expect(await nearIds({ radiusM: 1_000 })).toEqual([]);
    expect(await nearIds({ at: place(3_000), radiusM: 500 })).toEqual(['1']);
  });

  test('leaves out who has not been seen for a while, though Redis still knows them', async () => {
    await put(seen(1, place(100)), seen(2, place(200), nowMs + FRESH_MS));
    nowMs += FRESH_MS + 1;
    expect(await nearIds()).toEqual(['2']);
    expect((await near.positions(['1', '2'])).map((position) => position.driverId)).toEqual(['2']);
  });

  test('expires whole: each key has a lifetime', async () => {
    await put(seen(1, place(100)), seen(2, place(5_000)));
    const keys = (await redis.keys('tandem:*')).filter((key) => key !== POSITIONS_STREAM);
    expect(keys).toHaveLength(4);
    for (const key of keys) {
      const ttlMs = await redis.pttl(key);
      expect(ttlMs > 0 && ttlMs <= BUCKET_TTL_MS).toBe(true);
    }
  });

  test('is found again after Redis forgot everything, with the next pings', async () => {
    await put(seen(1, place(100)));
    await redis.flushall();
    await put(seen(1, place(110), nowMs + 30_000)); // the next bucket at the latest
    nowMs += 30_000;
    expect(await nearIds()).toEqual(['1']);
  });
});

describe('the stream', () => {
  test('brings every position to each process, and to a new one what is fresh', async () => {
    await put(seen(1, place(1)), seen(2, place(2)));
    const connection = openRedis(server.url, { log: SILENT_LOG, name: 'reader', use: 'blocking' });
    const reader = new PositionReader({ redis: connection, board, log: SILENT_LOG, nowMs: () => nowMs });
    reader.start();
    await expect.poll(() => board.size).toBe(2);
    const told: string[] = [];
    board.subscribe('3', (position) => told.push(position.driverId));
    await put(seen(3, place(3)), seen(4, place(4)));
    await expect.poll(() => told).toEqual(['3']);
    expect(reader.isReading).toBe(true);
    await reader.stop();
    await closeRedis(connection);
  });
});

describe('without Redis', () => {
  test.each(['dead', 'hung'] as const)('%s, answers come from what this process knows, nothing throws, and the next pings bring all back', async (fate) => {
    const own = await startRedis();
    const [client, blocking] = [openRedis(own.url, { log: SILENT_LOG, name: 'a' }), openRedis(own.url, { log: SILENT_LOG, name: 'b', use: 'blocking' })];
    await redisReady(client, 5_000);
    let pastMs = 0;
    const now = (): number => Date.now() + pastMs;
    const ask = new NearDrivers({ redis: client, board, log: SILENT_LOG, nowMs: now, onFallback: () => void (fallbacks += 1) });
    const pings = new PositionWriter({ redis: client, log: SILENT_LOG, counts });
    const reader = new PositionReader({ redis: blocking, board, log: SILENT_LOG, nowMs: now });
    const nearest = async () => (await ask.nearest({ place: TIMES_SQUARE, limit: 5, radiusM: 1_000 })).map((found) => found.position.driverId);
    reader.start();
    await expect.poll(() => reader.isReading, { timeout: 5_000 }).toBe(true);
    if (fate === 'dead') await own.kill9();
    else own.freeze();

    const droppedBefore = written.dropped;
    board.put(seen(1, place(100)));
    pings.put(seen(1, place(100)));
    await pings.flush();
    expect(written.dropped).toBe(droppedBefore + 1);
    expect(await nearest()).toEqual(['1']);
    expect((await ask.positions(['1', '2'])).map((position) => position.driverId)).toEqual(['1']);
    expect(fallbacks).toBe(2);
    await expect.poll(() => reader.isReading, { timeout: 10_000 }).toBe(false);

    if (fate === 'dead') await own.restart();
    else own.thaw();
    await redisReady(client, 10_000);
    await expect.poll(() => reader.isReading, { timeout: 10_000 }).toBe(true);
    pings.put(seen(2, place(200), now()));
    await pings.flush();
    await expect.poll(() => board.fresh('2', now())?.driverId, { timeout: 5_000 }).toBe('2');
    pastMs = 2_000; // past the pause in which Redis is not asked
    expect(await nearest()).toContain('2');
    expect(fallbacks).toBe(2);
    await Promise.all([reader.stop(), pings.stop()]);
    await Promise.all([closeRedis(client), closeRedis(blocking), own.stop()]);
  });
});
