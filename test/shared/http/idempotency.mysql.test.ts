/** One effect for one key: over repeats, races, failures, crashes and lost locks, on a real database. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LOCK_MS, idempotencyKeyOf, runIdempotent } from '../../../shared/http/idempotency.ts';
import type { Answer, IdempotentRequest } from '../../../shared/http/idempotency.ts';
import { hash63 } from '../../../shared/kernel/hash.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database, Sql } from '../../../shared/mysql/database.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';

const UNIT = 7;

const newRequest = (): IdempotentRequest => ({ accountId: 42n, key: randomUUID(), method: 'POST', path: '/v1/rides', body: { quoteId: '1', note: 'ü' } });

const effect = async (tx: Sql): Promise<Answer> => {
  await tx.execute("INSERT INTO effects (what) VALUES ('done')");
  return { status: 201, headers: { 'tandem-unit': '7' }, body: { id: '9007199254740993', label: 'größer' } };
};

const keyOf = (key?: string) => idempotencyKeyOf({ headers: key === undefined ? {} : { 'idempotency-key': key } });

describe.each(await engines())('on %s', (engine) => {
  let server: TestMysql;
  let db: Database;
  let nowMs: number;

  beforeAll(async () => {
    server = await startMysql({ engine, schema: true });
    db = openDatabase(server.config, { log: SILENT_LOG });
    await db.execute('CREATE TABLE effects (id BIGINT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(64) NOT NULL)');
  });
  afterAll(async () => {
    await db?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    nowMs = Date.now();
    await db.execute('DELETE FROM effects');
  });

  const run = (of: IdempotentRequest, work: (tx: Sql) => Promise<Answer>, database = db) => runIdempotent({ db: database, nowMs: () => nowMs, request: of, unit: UNIT }, work);
  const effects = async () => Number((await db.query<{ n: bigint }>('SELECT COUNT(*) AS n FROM effects'))[0]!.n);
  const rowOf = async ({ accountId, key }: IdempotentRequest) =>
    (await db.query<{ status: string; unit: number; locked_until: Date }>('SELECT status, unit, locked_until FROM idempotency_keys WHERE id = ?', [hash63('idem', String(accountId), key)]))[0];

  test('the same key and body get the first answer again, marked as replayed, and no second effect', async () => {
    const once = newRequest();
    const first = await run(once, effect);
    expect(first).toEqual({ status: 201, headers: { 'tandem-unit': '7' }, body: { id: '9007199254740993', label: 'größer' } });
    const again = await run({ ...once, body: { note: 'ü', quoteId: '1' } }, effect);
    expect(again).toEqual({ ...first, headers: { 'tandem-unit': '7', 'idempotency-replayed': 'true' } });
    expect(await effects()).toBe(1);
    expect(await rowOf(once)).toMatchObject({ status: 'done', unit: UNIT });
  });

  test('the same key with another body, path or method is a reuse, while running and afterwards', async () => {
    const once = newRequest();
    const others = [{ body: { quoteId: '2' } }, { path: '/v1/quotes' }, { method: 'PUT' }, { body: undefined }];
    await run(once, async (tx) => {
      for (const change of others) await expect(run({ ...once, ...change }, effect)).rejects.toMatchObject({ code: 'idempotency-key-reused' });
      return effect(tx);
    });
    for (const change of others) await expect(run({ ...once, ...change }, effect)).rejects.toMatchObject({ code: 'idempotency-key-reused' });
    expect(await effects()).toBe(1);
  });

  test('while the first runs, a repeat is told to come back in a second', async () => {
    const once = newRequest();
    await run(once, async (tx) => {
      await expect(run(once, effect)).rejects.toMatchObject({ code: 'idempotency-in-flight', details: { retryAfterS: 1 } });
      return effect(tx);
    });
    expect(await effects()).toBe(1);
  });

  test('of many at once exactly one takes effect; the others are in flight, or replays', async () => {
    for (let round = 0; round < 5; round += 1) {
      await db.execute('DELETE FROM effects');
      const once = newRequest();
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, () =>
          run(once, effect).then(
            (answer) => (answer.headers?.['idempotency-replayed'] === 'true' ? 'replayed' : 'ran'),
            (error: TandemError) => error.code,
          ),
        ),
      );
      expect(outcomes.filter((outcome) => outcome === 'ran'), outcomes.join()).toHaveLength(1);
      expect(outcomes.filter((outcome) => !['ran', 'replayed', 'idempotency-in-flight'].includes(outcome))).toEqual([]);
      expect(await effects()).toBe(1);
    }
  });

  test('a failure undoes the work, frees the key, and is what the caller gets', async () => {
    const once = newRequest();
    const boom = new TandemError('conflict', 'no');
    await expect(
      run(once, async (tx) => {
        await effect(tx);
        throw boom;
      }),
    ).rejects.toBe(boom);
    expect([await effects(), await rowOf(once)]).toEqual([0, undefined]);
    expect((await run(once, effect)).status).toBe(201);
    expect(await effects()).toBe(1);
  });

  test('an answer that JSON cannot say is a failure like any other', async () => {
    const once = newRequest();
    await expect(run(once, async () => ({ status: 200, body: { id: 1n } }))).rejects.toThrow(TypeError);
    expect(await rowOf(once)).toBeUndefined();
  });

  test('after a crash in the work the key is busy until its lock runs out; then the next runs, once', async () => {
    const once = newRequest();
    // A process that died after it took the key: the server rolled its transaction back, nobody freed the key.
    const dying = { query: db.query.bind(db), execute: db.execute.bind(db), transaction: () => new Promise(() => undefined) } as unknown as Database;
    void run(once, effect, dying);
    await expect.poll(() => rowOf(once)).toMatchObject({ status: 'in-flight' });
    nowMs += LOCK_MS - 1;
    await expect(run(once, effect)).rejects.toMatchObject({ code: 'idempotency-in-flight' });
    nowMs += 1;
    const outcomes = await Promise.allSettled([run(once, effect), run(once, effect), run(once, effect)]);
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(await effects()).toBe(1);
  });

  test('a run that was too slow and lost its lock commits nothing', async () => {
    const once = newRequest();
    const slow = run(once, async (tx) => {
      nowMs += LOCK_MS + 1;
      const other = await run(once, async (theirs) => ({ ...(await effect(theirs)), body: 'the other' }));
      expect(other.body).toBe('the other');
      return effect(tx);
    });
    await expect(slow).rejects.toMatchObject({ code: 'idempotency-in-flight' });
    expect(await effects()).toBe(1);
    expect((await run(once, effect)).body).toBe('the other');
  });

  test('another account may use the same key', async () => {
    const mine = newRequest();
    await run(mine, effect);
    const theirs = await run({ ...mine, accountId: 43n, body: {} }, effect);
    expect(theirs.headers).not.toHaveProperty('idempotency-replayed');
    expect(await effects()).toBe(2);
  });

  test('the effect and its key are stamped with one clock', async () => {
    const once = newRequest();
    const hlc = (BigInt(Date.now() + 60_000) << 16n) + 5n;
    await runIdempotent({ db, nowMs: () => nowMs, request: once, unit: UNIT, clock: { now: () => hlc } }, effect);
    const [row] = await db.query<{ hlc: bigint }>('SELECT _hlc AS hlc FROM idempotency_keys WHERE id = ?', [hash63('idem', '42', once.key)]);
    expect(row!.hlc).toBeGreaterThanOrEqual(hlc);
  });
});

test('a key is 1 to 255 printable ASCII characters', () => {
  expect(keyOf('a')).toBe('a');
  expect(keyOf('x'.repeat(255))).toHaveLength(255);
  for (const bad of [undefined, '', 'x'.repeat(256), 'tab\t', 'ü']) expect(() => keyOf(bad)).toThrow(expect.objectContaining({ code: 'idempotency-key-missing' }));
});
