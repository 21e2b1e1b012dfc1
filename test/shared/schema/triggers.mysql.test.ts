/** Whoever writes a row, its version grows: the triggers, on every engine this machine has. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { migrate } from '../../../shared/schema/migrations.ts';
import { engines, startMysql } from '../../harness/mysql.ts';

const QUIET = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
const ORIGIN = 2;

describe.each(await engines())('version triggers on %s', (engine) => {
  let server: Awaited<ReturnType<typeof startMysql>>;
  let db: RawConnection;

  beforeAll(async () => {
    server = await startMysql({ engine });
    await migrate({ database: server.config, origin: ORIGIN, log: QUIET });
    db = await openRawConnection(server.config, { role: 'test' });
  });
  afterAll(async () => {
    await db?.close();
    await server?.stop();
  });

  const versionOf = async (id: number) => {
    const [row] = await db.query('SELECT _hlc, _origin FROM accounts WHERE id = ?', [id]);
    return { hlc: BigInt(row!._hlc as string), origin: Number(row!._origin) };
  };
  const tombstoneOf = async (id: number) => {
    const [row] = await db.query("SELECT _hlc, unit FROM _tombstones WHERE table_name = 'accounts' AND row_id = ?", [id]);
    return row && BigInt(row._hlc as string);
  };

  test('plain SQL is stamped with the clock and the region', async () => {
    const beforeMs = Date.now() - 1_000;
    await db.execute('INSERT INTO accounts (id, unit) VALUES (1, 3)');
    const version = await versionOf(1);
    expect(version.origin).toBe(ORIGIN);
    expect(Number(version.hlc >> 16n)).toBeGreaterThan(beforeMs);
    expect(Number(version.hlc >> 16n)).toBeLessThan(Date.now() + 1_000);
  });

  test('updates within one millisecond still count up', async () => {
    await db.execute('INSERT INTO accounts (id, unit) VALUES (2, 3)');
    let last = (await versionOf(2)).hlc;
    for (let round = 0; round < 20; round += 1) {
      await db.execute("UPDATE accounts SET display_name = 'same' WHERE id = 2");
      const { hlc } = await versionOf(2);
      expect(hlc).toBeGreaterThan(last);
      last = hlc;
    }
  });

  test('an update of a row that is ahead of the clock counts up from the row, to the last bit', async () => {
    const ahead = (BigInt(Date.now() + 3_600_000) << 16n) + 7n;
    await db.execute('INSERT INTO accounts (id, unit, _hlc, _origin) VALUES (3, 3, ?, 1)', [ahead]);
    await db.execute("UPDATE accounts SET display_name = 'mine' WHERE id = 3");
    expect(await versionOf(3)).toEqual({ hlc: ahead + 1n, origin: ORIGIN });
  });

  test('what the service has seen lifts the version', async () => {
    const seen = (BigInt(Date.now() + 400) << 16n) + 5n;
    await db.execute('SET @tandem_hlc = ?', [seen]);
    await db.execute('INSERT INTO accounts (id, unit) VALUES (4, 3)');
    await db.execute('SET @tandem_hlc = NULL');
    expect((await versionOf(4)).hlc).toBe(seen);
  });

  test('a delete leaves a tombstone above the row, and a re-insert stands above the tombstone', async () => {
    const ahead = (BigInt(Date.now() + 3_600_000) << 16n) + 3n;
    await db.execute('INSERT INTO accounts (id, unit, _hlc, _origin) VALUES (5, 9, ?, 1)', [ahead]);
    await db.execute('DELETE FROM accounts WHERE id = 5');
    expect(await tombstoneOf(5)).toBe(ahead + 1n);
    await db.execute('INSERT INTO accounts (id, unit) VALUES (5, 9)');
    expect((await versionOf(5)).hlc).toBe(ahead + 2n);
    await db.execute('DELETE FROM accounts WHERE id = 5');
    expect(await tombstoneOf(5)).toBe(ahead + 3n);
  });

  test('a changed primary key leaves a tombstone of the old one', async () => {
    await db.execute('INSERT INTO accounts (id, unit) VALUES (6, 3)');
    await db.execute('UPDATE accounts SET id = 7 WHERE id = 6');
    expect(await tombstoneOf(6)).toBeDefined();
    expect((await versionOf(7)).hlc).toBeGreaterThan(0n);
  });

  test('a row that moves to an id stands above the tombstone of that id, as an insert does', async () => {
    const ahead = (BigInt(Date.now() + 3_600_000) << 16n) + 5n;
    await db.execute('INSERT INTO accounts (id, unit, _hlc, _origin) VALUES (20, 3, ?, 1)', [ahead]);
    await db.execute('DELETE FROM accounts WHERE id = 20');
    await db.execute('INSERT INTO accounts (id, unit) VALUES (21, 3)');
    await db.execute('UPDATE accounts SET id = 20 WHERE id = 21');
    expect(await versionOf(20)).toEqual({ hlc: ahead + 2n, origin: ORIGIN });
    expect(await tombstoneOf(21)).toBeLessThan(ahead);
  });

  test('ids that move along in one statement each stand above what stood there', async () => {
    await db.execute('INSERT INTO accounts (id, unit) VALUES (30, 3), (31, 3)');
    await db.execute('UPDATE accounts SET id = id + 1 WHERE id IN (30, 31) ORDER BY id DESC');
    expect((await versionOf(31)).hlc).toBeGreaterThan((await tombstoneOf(31))!);
  });

  test('REPLACE leaves a row above what it replaced, where that was not ahead of the clock', async () => {
    await db.execute('INSERT INTO accounts (id, unit) VALUES (8, 3)');
    const before = (await versionOf(8)).hlc;
    await db.execute("REPLACE INTO accounts (id, unit, display_name) VALUES (8, 3, 'new')");
    expect((await versionOf(8)).hlc).toBeGreaterThan(before);
  });

  test('HAZARD: REPLACE of a row ahead of the clock stays below its tombstone; UPDATE does not', async () => {
    const ahead = (BigInt(Date.now() + 3_600_000) << 16n) + 9n;
    for (const id of [40, 41]) await db.execute('INSERT INTO accounts (id, unit, _hlc, _origin) VALUES (?, 3, ?, 1)', [id, ahead]);
    // As triggers.ts says; if this fails, the hazard is gone: mend the comment there.
    await db.execute("REPLACE INTO accounts (id, unit, display_name) VALUES (40, 3, 'new')");
    expect((await versionOf(40)).hlc).toBeLessThan((await tombstoneOf(40))!);
    await db.execute("UPDATE accounts SET display_name = 'new' WHERE id = 41");
    expect((await versionOf(41)).hlc).toBe(ahead + 1n);
  });

  test('the apply session is left alone: versions as received, no tombstone', async () => {
    const apply = await openRawConnection(server.config, { role: 'test', session: { '@tandem_apply': 1 } });
    try {
      await apply.execute('INSERT INTO accounts (id, unit, _hlc, _origin) VALUES (10, 3, 77, 1)');
      expect(await versionOf(10)).toEqual({ hlc: 77n, origin: 1 });
      await apply.execute('UPDATE accounts SET _hlc = 78, _origin = 1 WHERE id = 10');
      expect(await versionOf(10)).toEqual({ hlc: 78n, origin: 1 });
      await apply.execute('DELETE FROM accounts WHERE id = 10');
      expect(await tombstoneOf(10)).toBeUndefined();
    } finally {
      await apply.close();
    }
  });

  test('versions are invisible to SELECT *', async () => {
    const [row] = await db.query('SELECT * FROM accounts WHERE id = 1');
    expect(Object.keys(row!)).not.toContain('_hlc');
    expect(Object.keys(row!)).not.toContain('_origin');
  });
});
