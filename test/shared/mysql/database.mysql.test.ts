/** The database client against real servers, MariaDB and MySQL: values, errors, read-only spells, transactions, crashes. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Database, MysqlConfig } from '../../../shared/mysql/database.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { createMetrics } from '../../../shared/telemetry/metrics.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { recordedLog } from '../recorded-log.ts';
import { until } from '../until.ts';

describe.each(await engines())('database on %s', (engine) => {
  let server: TestMysql;
  let root: Database;
  /** Without the rights that let root write to a read-only server. */
  let app: MysqlConfig;
  const opened: Database[] = [];

  const open = (config: Partial<MysqlConfig> = {}): Database => {
    const db = openDatabase({ ...app, ...config }, { log: recordedLog() });
    opened.push(db);
    return db;
  };

  beforeAll(async () => {
    server = await startMysql({ engine });
    root = openDatabase(server.config, { log: recordedLog() });
    app = { ...server.config, user: 'app', password: 'app-password' };
    await root.execute("CREATE USER 'app'@'%' IDENTIFIED BY 'app-password'");
    await root.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON tandem.* TO 'app'@'%'");
    await root.execute('CREATE TABLE pairs (id BIGINT PRIMARY KEY, n INT NOT NULL DEFAULT 0, tag VARCHAR(40) UNIQUE)');
    await root.execute(`CREATE TABLE kinds (id BIGINT UNSIGNED PRIMARY KEY, flag TINYINT(1), price DECIMAL(30, 10), at DATETIME(3), stamp TIMESTAMP(6) NULL,
      day DATE, doc JSON, blob_ VARBINARY(20), name VARCHAR(100) CHARACTER SET utf8mb4, ratio DOUBLE)`);
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((db) => db.close()));
    await root.execute('DELETE FROM pairs');
    await root.execute('DELETE FROM kinds');
  });

  afterAll(async () => {
    await root?.close();
    await server?.stop();
  });

  describe('values', () => {
    it('bigints round-trip beyond 2^53, small ones are bigint too', async () => {
      const db = open();
      const ids = [1n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 64n - 1n];
      await db.execute('INSERT INTO kinds (id) VALUES ?', [ids.map((id) => [id])]);
      const rows = await db.query<{ id: bigint }>('SELECT id FROM kinds WHERE id IN (?) ORDER BY id', [ids]);
      expect(rows.map(({ id }) => id)).toEqual(ids);
    });

    it('each SQL type has one JavaScript type, whatever the value', async () => {
      const db = open();
      const at = new Date('2026-03-29T01:30:00.123Z');
      await db.execute('INSERT INTO kinds VALUES (?)', [[
        7, true, '12345678901234567890.0123456789', at, '2026-10-25 00:30:00.123456', '2026-02-28', '{"a": [1, "ä"]}', Buffer.from([0, 255, 39]), 'Ünï \'"\\ 🚲 \0', 0.1 + 0.2,
      ]]);
      const [row] = await db.query('SELECT * FROM kinds');
      expect(row).toMatchObject({
        id: 7n, flag: 1, price: '12345678901234567890.0123456789', at, stamp: new Date('2026-10-25T00:30:00.123Z'), day: '2026-02-28',
        blob_: Buffer.from([0, 255, 39]), name: 'Ünï \'"\\ 🚲 \0', ratio: 0.1 + 0.2,
      });
      expect(JSON.parse(row?.doc as string)).toEqual({ a: [1, 'ä'] });
      await db.execute('UPDATE kinds SET flag = NULL, price = NULL, at = NULL, stamp = NULL, day = NULL, doc = NULL, blob_ = NULL, name = NULL, ratio = NULL');
      const [empty] = await db.query('SELECT * FROM kinds');
      expect(Object.values(empty ?? {}).slice(1)).toEqual(Array.from({ length: 9 }, () => null));
    });

    it('a parameter that SQL has no meaning for is a programmer’s error, and nothing is sent', async () => {
      const db = open();
      for (const bad of [undefined, Number.NaN, 2 ** 60, { a: 1 }, [], new Date(Number.NaN), Symbol('x')]) {
        await expect(db.query('SELECT ?', [bad])).rejects.toThrow(/parameter 0/);
      }
    });

    it('the session is UTC, strict, and read committed', async () => {
      const db = open();
      const isolation = engine === 'mysql' ? 'transaction_isolation' : 'tx_isolation';
      const [row] = await db.query(`SELECT @@session.time_zone AS zone, @@session.sql_mode AS mode, @@session.${isolation} AS isolation`);
      expect(row).toMatchObject({ zone: '+00:00', isolation: 'READ-COMMITTED' });
      expect(row?.mode).toContain('STRICT_TRANS_TABLES');
      await expect(db.execute("INSERT INTO pairs (id, n) VALUES (1, 'not a number')")).rejects.toMatchObject({ code: 'db-failed' });
    });

    it('an update counts the rows it matched, changed or not', async () => {
      const db = open();
      await db.execute('INSERT INTO pairs (id, n) VALUES (1, 5)');
      expect(await db.execute('UPDATE pairs SET n = 5 WHERE id = 1')).toEqual({ affectedRows: 1 });
      expect(await db.execute('UPDATE pairs SET n = 5 WHERE id = 2')).toEqual({ affectedRows: 0 });
    });
  });

  describe('errors', () => {
    it('a duplicate names its key, and keeps the driver’s error as cause', async () => {
      const db = open();
      await db.execute("INSERT INTO pairs (id, tag) VALUES (1, 'x for key ''y''')");
      const again = db.execute("INSERT INTO pairs (id, tag) VALUES (2, 'x for key ''y''')");
      await expect(again).rejects.toMatchObject({ code: 'db-duplicate', details: { key: 'tag', errno: 1062 }, cause: expect.any(Error) });
      await expect(db.execute('INSERT INTO pairs (id) VALUES (1)')).rejects.toMatchObject({ code: 'db-duplicate', details: { key: 'PRIMARY' } });
    });

    it('a server that is not there is db-unavailable', async () => {
      await expect(open({ port: 1 }).query('SELECT 1')).rejects.toMatchObject({ code: 'db-unavailable', retryable: true });
    });

    it('a statement past its deadline fails, and its late answer never reaches another caller', async () => {
      const db = open({ poolSize: 1, queryDeadlineMs: 200 });
      await expect(db.query('SELECT SLEEP(1) AS slept')).rejects.toMatchObject({ code: 'deadline-exceeded' });
      expect(await db.query("SELECT 'mine' AS answer")).toEqual([{ answer: 'mine' }]);
    });

    it('a pool whose connections are all busy refuses in time instead of queueing for ever', async () => {
      const db = open({ poolSize: 1 });
      await db.transaction(async (tx) => {
        await tx.query('SELECT 1');
        await expect(db.query('SELECT 1')).rejects.toMatchObject({ code: 'db-unavailable', details: { limit: 1, inUse: 1 } });
        expect(db.use).toEqual({ inUse: 1, waiting: 0, limit: 1 });
      });
      expect(await db.query("SELECT 'free' AS state")).toEqual([{ state: 'free' }]);
      expect(db.use.inUse).toBe(0);
    });

    it('a pool that met a read-only server recovers when it is writable again, by new connections', async () => {
      const db = open({ poolSize: 3 });
      const idOf = async (): Promise<bigint> => (await db.query<{ id: bigint }>('SELECT CONNECTION_ID() AS id'))[0]?.id ?? 0n;
      // Opens all three, so that two of them sit idle when the third meets the read-only server.
      await Promise.all([1, 2, 3].map(() => db.query('SELECT SLEEP(0.05)')));
      const before = await idOf();
      await root.execute('SET GLOBAL read_only = 1');
      try {
        await expect(db.execute('INSERT INTO pairs (id) VALUES (1)')).rejects.toMatchObject({ code: 'db-read-only', retryable: true });
        await expect(db.transaction((tx) => tx.execute('INSERT INTO pairs (id) VALUES (1)'))).rejects.toMatchObject({ code: 'db-read-only' });
      } finally {
        await root.execute('SET GLOBAL read_only = 0');
      }
      const after = await Promise.all([1, 2, 3].map(() => idOf()));
      expect(after.every((id) => id > before)).toBe(true);
      expect(await db.execute('INSERT INTO pairs (id) VALUES (1)')).toEqual({ affectedRows: 1 });
    });
  });

  describe('transactions', () => {
    it('a deadlock is retried and the work runs once more', async () => {
      const db = open();
      await db.execute('INSERT INTO pairs (id) VALUES (1), (2)');
      const firstLocks = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const runs = [0, 0];
      const lockBoth = (me: 0 | 1) => db.transaction(async (tx) => {
        runs[me] = (runs[me] ?? 0) + 1;
        await tx.execute('UPDATE pairs SET n = n + 1 WHERE id = ?', [me + 1]);
        firstLocks[me]?.resolve();
        await firstLocks[1 - me]?.promise;
        await tx.execute('UPDATE pairs SET n = n + 1 WHERE id = ?', [2 - me]);
      });
      await Promise.all([lockBoth(0), lockBoth(1)]);
      expect((runs[0] ?? 0) + (runs[1] ?? 0)).toBe(3);
      expect(await db.query('SELECT id, n FROM pairs ORDER BY id')).toEqual([{ id: 1n, n: 2 }, { id: 2n, n: 2 }]);
    });

    it('retries, failures and the use of the pool are there to be seen', async () => {
      const metrics = createMetrics({ service: 'test', region: 'east', instance: 'test-1' });
      const db = openDatabase(app, { log: recordedLog(), metrics });
      opened.push(db);
      await db.execute('INSERT INTO pairs (id) VALUES (1)');
      await db.execute('INSERT INTO pairs (id) VALUES (1)').catch(() => undefined);
      let runs = 0;
      await db.transaction(async () => {
        runs += 1;
        if (runs === 1) throw new TandemError('db-unavailable', 'as after a deadlock', { details: { contended: true } });
        expect(await metrics.expose()).toMatch(/mysql_pool_connections\{.*state="in_use".*\} 1/);
      });
      const text = await metrics.expose();
      expect(text).toMatch(/mysql_errors_total\{.*code="db-duplicate".*\} 1/);
      expect(text).toMatch(/mysql_transaction_retries_total\S* 1/);
      expect(text).toMatch(/mysql_pool_connections\{.*state="limit".*\} 10/);
      await metrics.stop();
    });

    it('a deadlock that the work swallows still runs everything again: no statement commits by itself', async () => {
      const db = open();
      await db.execute('INSERT INTO pairs (id) VALUES (1), (2), (3)');
      const firstLocks = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const lockBoth = (me: 0 | 1) => db.transaction(async (tx) => {
        await tx.execute('UPDATE pairs SET n = n + 1 WHERE id = ?', [me + 1]);
        firstLocks[me]?.resolve();
        await firstLocks[1 - me]?.promise;
        await tx.execute('UPDATE pairs SET n = n + 1 WHERE id = ?', [2 - me]).catch(() => undefined);
        await tx.execute('UPDATE pairs SET n = n + 1 WHERE id = 3').catch(() => undefined);
      });
      await Promise.all([lockBoth(0), lockBoth(1)]);
      expect(await db.query('SELECT n FROM pairs ORDER BY id')).toEqual([{ n: 2 }, { n: 2 }, { n: 2 }]);
    });

    it('a thrown error rolls back and arrives unchanged', async () => {
      const db = open();
      const error = new Error('no seat left');
      await expect(db.transaction(async (tx) => {
        await tx.execute('INSERT INTO pairs (id) VALUES (1)');
        throw error;
      })).rejects.toBe(error);
      expect(await db.query('SELECT id FROM pairs')).toEqual([]);
    });

    it('past its deadline a transaction is gone from the server, its locks too', async () => {
      const db = open();
      await db.execute('INSERT INTO pairs (id) VALUES (1)');
      const stuck = db.transaction(async (tx) => {
        await tx.execute('UPDATE pairs SET n = 1 WHERE id = 1');
        await new Promise(() => undefined);
      }, { deadlineMs: 200 });
      await expect(stuck).rejects.toMatchObject({ code: 'deadline-exceeded' });
      await db.execute('UPDATE pairs SET n = 2 WHERE id = 1');
      expect(await db.query('SELECT n FROM pairs')).toEqual([{ n: 2 }]);
    });

    it('a connection killed before COMMIT is db-unavailable, and the work is not run again', async () => {
      const db = open();
      let runs = 0;
      await expect(db.transaction(async (tx) => {
        runs += 1;
        const [me] = await tx.query<{ id: bigint }>('SELECT CONNECTION_ID() AS id');
        await tx.execute('INSERT INTO pairs (id) VALUES (1)');
        await root.execute('KILL ?', [me?.id]);
        await tx.query('SELECT 1');
      })).rejects.toMatchObject({ code: 'db-unavailable' });
      expect(runs).toBe(1);
      await until('rolled back', 2000, async () => (await db.query('SELECT id FROM pairs')).length === 0);
    });

    it('a connection killed during COMMIT is said to be unknown', async () => {
      const db = open();
      await expect(db.transaction(async (tx) => {
        const [me] = await tx.query<{ id: bigint }>('SELECT CONNECTION_ID() AS id');
        await tx.execute('INSERT INTO pairs (id) VALUES (1)');
        await root.execute('KILL ?', [me?.id]);
      })).rejects.toMatchObject({ code: 'db-commit-unknown', retryable: false });
    });

    it('the clock’s now is there for the triggers, exact to the last bit', async () => {
      const db = open();
      const now = (1n << 63n) + 12_345n;
      const [row] = await db.transaction((tx) => tx.query('SELECT CAST(@tandem_hlc AS CHAR) AS hlc'), { clock: { now: () => now } });
      expect(row).toEqual({ hlc: String(now) });
    });

    it('isolation and read-only hold for one transaction only', async () => {
      const db = open({ poolSize: 1 });
      await db.execute('INSERT INTO pairs (id, n) VALUES (1, 1)');
      const seen = await db.transaction(async (tx) => {
        const first = await tx.query('SELECT n FROM pairs');
        await root.execute('UPDATE pairs SET n = 2');
        return [first, await tx.query('SELECT n FROM pairs')];
      }, { isolation: 'REPEATABLE READ', readOnly: true });
      expect(seen).toEqual([[{ n: 1 }], [{ n: 1 }]]);
      await expect(db.transaction((tx) => tx.execute('DELETE FROM pairs'), { readOnly: true })).rejects.toMatchObject({ code: 'db-read-only' });
      await db.transaction((tx) => tx.execute('UPDATE pairs SET n = 3'));
      expect(await db.query('SELECT n FROM pairs')).toEqual([{ n: 3 }]);
    });

    it('a statement sent after the transaction is over asserts', async () => {
      const db = open();
      const leaked = await db.transaction(async (tx) => ({ tx }));
      await expect(leaked.tx.query('SELECT 1')).rejects.toThrow(/is over/);
    });
  });

  it('a crashed server is db-unavailable, and the pool works again once it is back', async () => {
    const db = open();
    await db.ping(1000);
    await server.kill9();
    await expect(db.ping(1000)).rejects.toMatchObject({ code: 'db-unavailable' });
    await server.restart();
    await until('the pool works again', 10_000, async () => (await db.query("SELECT 'up' AS state"))[0]?.state === 'up');
    await root.ping(1000);
  });

  it('a frozen server fails a statement by its deadline, and the pool works again once it thaws', async () => {
    const db = open({ queryDeadlineMs: 300 });
    await db.ping(1000);
    server.freeze();
    try {
      await expect(db.query('SELECT 1')).rejects.toMatchObject({ code: 'deadline-exceeded' });
    } finally {
      server.thaw();
    }
    await until('the pool works again', 10_000, async () => (await db.query("SELECT 'up' AS state"))[0]?.state === 'up');
  });
});
