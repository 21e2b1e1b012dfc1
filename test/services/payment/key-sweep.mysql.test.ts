/** Old idempotency keys go, in bounded batches and by the rights of the payment user; those still wanted stay. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { KEYS_A_BATCH_MAX, KEY_RETENTION_MS, KeySweep } from '../../../services/payment/coordinator/key-sweep.ts';
import type { KeySweepOptions } from '../../../services/payment/coordinator/key-sweep.ts';
import { HybridClock } from '../../../shared/clock/hybrid-clock.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

const HOUR_MS = 3_600_000;
const clock = new HybridClock({ nowMs: Date.now });

describe.each(await engines())('on %s', (engine) => {
  let server: TestMysql;
  let root: Database;
  let db: Database;
  const batches: number[] = [];

  beforeAll(async () => {
    server = await startMysql({ engine, grants: true });
    root = openDatabase(server.config, { log: SILENT_LOG });
    db = openDatabase(server.users.tandem_payment!, { log: SILENT_LOG });
  });
  afterAll(async () => {
    await db?.close();
    await root?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    batches.length = 0;
    await root.execute('DELETE FROM idempotency_keys');
    await root.execute('DELETE FROM _tombstones');
  });

  const sweep = (over: Partial<KeySweepOptions> = {}): KeySweep =>
    new KeySweep({ db, clock, units: { isHome: (unit) => unit % 2 === 0 }, log: SILENT_LOG, nowMs: Date.now, onForgotten: (keys) => batches.push(keys), ...over });

  const addKeys = (keys: readonly { id: number; unit?: number; ageMs: number; lockedForMs?: number; status?: string }[]): Promise<unknown> =>
    root.execute('INSERT INTO idempotency_keys (id, unit, account_id, idem_key, request_hash, status, created_at, locked_until) VALUES ?', [
      keys.map(({ id, unit = 2, ageMs, lockedForMs = 30_000 - ageMs, status = 'done' }) =>
        [id, unit, 1, `key-${id}`, 'h', status, new Date(Date.now() - ageMs), new Date(Date.now() + lockedForMs)]),
    ]);
  const left = async (): Promise<number[]> => (await root.query<{ id: bigint }>('SELECT id FROM idempotency_keys ORDER BY id')).map(({ id }) => Number(id));

  test('keys go after 48 h, not before, and only where their unit is at home', async () => {
    await addKeys([
      { id: 1, ageMs: KEY_RETENTION_MS + HOUR_MS },
      { id: 2, ageMs: KEY_RETENTION_MS - HOUR_MS },
      { id: 3, ageMs: KEY_RETENTION_MS + HOUR_MS, unit: 3 },
      { id: 4, ageMs: KEY_RETENTION_MS + HOUR_MS, status: 'in-flight' },
    ]);
    expect(await sweep().round()).toBe(2);
    expect(await left()).toEqual([2, 3]);
  });

  test('a key that a run holds now stays, however old', async () => {
    await addKeys([{ id: 1, ageMs: KEY_RETENTION_MS * 2, status: 'in-flight', lockedForMs: 20_000 }]);
    expect(await sweep().round()).toBe(0);
    expect(await left()).toEqual([1]);
  });

  test('many go in bounded batches, each leaving tombstones, so that the peer removes them too', async () => {
    const count = KEYS_A_BATCH_MAX * 2 + 7;
    await addKeys(Array.from({ length: count }, (_, i) => ({ id: i + 1, ageMs: KEY_RETENTION_MS + HOUR_MS + i })));
    expect(await sweep().round()).toBe(count);
    expect(batches).toEqual([KEYS_A_BATCH_MAX, KEYS_A_BATCH_MAX, 7]);
    const [row] = await root.query<{ n: bigint }>("SELECT COUNT(*) AS n FROM _tombstones WHERE table_name = 'idempotency_keys'");
    expect(Number(row!.n)).toBe(count);
  });

  test('it begins after a pause of its own draw, and stops at once in the middle of one', async () => {
    await addKeys([{ id: 1, ageMs: KEY_RETENTION_MS + HOUR_MS }]);
    const gone = Promise.withResolvers<void>();
    const draws = [0, 0.5];
    const running = sweep({ random: () => draws.shift() ?? 1, onForgotten: () => gone.resolve() });
    running.start();
    await gone.promise;
    // In its hour's pause now.
    await running.stop();
    expect(await left()).toEqual([]);
  });
});
