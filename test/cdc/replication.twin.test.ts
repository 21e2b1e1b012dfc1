/** What replication promises, claim by claim, between two real databases over a real Kafka. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engines } from '../harness/mysql.ts';
import { dataSince, startTwin, topicEnds, until } from './twin.ts';
import type { Region, Twin } from './twin.ts';

const nameOf = async (region: Region, id: number): Promise<unknown> =>
  (await region.sql.query('SELECT display_name AS n FROM accounts WHERE id = ?', [id]))[0]?.['n'];

describe.each(await engines())('replication on %s', (engine) => {
  let twin: Twin;
  let east: Region;
  let west: Region;

  beforeAll(async () => {
    twin = await startTwin(engine);
    ({ east, west } = twin);
    await twin.startAll();
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
  });

  const same = async (): Promise<void> => {
    await twin.settle();
    expect(await west.everything()).toEqual(await east.everything());
  };

  it('plain SQL typed by an operator replicates: insert, update, delete, many rows, REPLACE, a new primary key', async () => {
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (1, 'Ada', 1), (2, 'Bob', 2), (3, 'Cy', 3), (4, 'Di', 0)");
    await same();
    await west.sql.execute("UPDATE accounts SET display_name = CONCAT(display_name, '!') WHERE id < 4");
    await same();
    await east.sql.execute('DELETE FROM accounts WHERE id = 2');
    await east.sql.execute("REPLACE INTO accounts (id, display_name, unit) VALUES (3, 'Cyd', 3), (5, 'Eve', 1)");
    await same();
    await west.sql.execute('UPDATE accounts SET id = 40 WHERE id = 4');
    await same();
    expect((await west.rowsOf('accounts')).map((row) => `${row['id']}=${row['display_name']}`)).toEqual(['1=Ada!', '3=Cyd', '5=Eve', '40=Di']);
    expect(await east.conflicts()).toEqual([]);
    expect(await west.conflicts()).toEqual([]);
  });

  it('a transaction over tables and units arrives whole, in each partition', async () => {
    await east.sql.execute('START TRANSACTION');
    for (let id = 100; id < 140; id += 1) {
      await east.sql.execute('INSERT INTO accounts (id, display_name, unit) VALUES (?, ?, ?)', [id, `n${id}`, id % 64]);
      await east.sql.execute("INSERT INTO vehicles (id, driver_id, plate, seats, unit) VALUES (?, ?, 'X', 3, ?)", [id, id, id % 64]);
    }
    await east.sql.execute('UPDATE accounts SET display_name = ? WHERE id = 120', ['twice']);
    await east.sql.execute('DELETE FROM vehicles WHERE id = 121');
    await east.sql.execute('COMMIT');
    await same();
    expect(await nameOf(west, 120)).toBe('twice');
  });

  it('a unique value that changes hands within a transaction arrives without a conflict', async () => {
    await east.sql.execute("INSERT INTO fare_cards (id, version, effective_from, body, unit) VALUES (10, 10, NOW(3), '{}', 1), (11, 11, NOW(3), '{}', 1)");
    await same();
    await east.sql.execute('START TRANSACTION');
    await east.sql.execute('UPDATE fare_cards SET version = 99 WHERE id = 10');
    await east.sql.execute('UPDATE fare_cards SET version = 10 WHERE id = 11');
    await east.sql.execute('UPDATE fare_cards SET version = 11 WHERE id = 10');
    await east.sql.execute('COMMIT');
    await same();
    expect((await west.conflicts()).filter((c) => c['table_name'] === 'fare_cards')).toEqual([]);
  });

  it('a change applied from the peer is not sent back', async () => {
    await same();
    const ends = await topicEnds(west);
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (200, 'one way', 5)");
    await east.sql.execute("UPDATE accounts SET display_name = 'still' WHERE id = 200");
    await east.sql.execute('DELETE FROM accounts WHERE id = 200');
    await same();
    expect(await dataSince(west, ends)).toEqual([]);
  });

  it('two regions that update one row agree on the later one and both keep the other image', async () => {
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (300, 'base', 7)");
    await same();
    await Promise.all([west.stopApply(), east.stopApply()]);
    await east.sql.execute("UPDATE accounts SET display_name = 'from east' WHERE id = 300");
    await west.sql.execute("UPDATE accounts SET display_name = 'from west' WHERE id = 300");
    for (const region of [west, east]) region.startApply();
    await same();
    expect(await nameOf(east, 300)).toBe('from west');
    const [here, there] = await Promise.all([east, west].map(async (r) => (await r.conflicts()).filter((c) => c['row_id'] === '300')));
    expect(here).toHaveLength(1);
    expect(there).toHaveLength(1);
    expect(here?.[0]).toMatchObject({ id: there?.[0]?.['id'], kind: 'update-update', outcome: 'took-remote' });
    expect(there?.[0]).toMatchObject({ outcome: 'kept-local' });
    const images = [here, there].map((c) => [c?.[0]?.['local_image'], c?.[0]?.['remote_image']].map((i) => JSON.parse(String(i)).display_name));
    expect(images).toEqual([['from east', 'from west'], ['from west', 'from east']]);
  });

  it('a delete beats an older update and a late update cannot bring the row back', async () => {
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (301, 'base', 9)");
    await same();
    await Promise.all([west.stopApply(), east.stopApply()]);
    await east.sql.execute("UPDATE accounts SET display_name = 'late' WHERE id = 301");
    await west.sql.execute('DELETE FROM accounts WHERE id = 301');
    for (const region of [west, east]) region.startApply();
    await same();
    expect(await nameOf(west, 301)).toBeUndefined();
    expect((await west.conflicts()).find((c) => c['row_id'] === '301')).toMatchObject({ kind: 'update-delete', outcome: 'kept-local' });
    expect((await east.conflicts()).find((c) => c['row_id'] === '301')).toMatchObject({ kind: 'delete-update', outcome: 'took-remote' });
  });

  it('a row that loses its unique value to the peer is set aside on both sides, never lost in silence', async () => {
    await Promise.all([west.stopApply(), east.stopApply()]);
    await east.sql.execute("INSERT INTO fare_cards (id, version, effective_from, body, unit) VALUES (50, 500, NOW(3), '{\"from\":\"east\"}', 2)");
    await west.sql.execute("INSERT INTO fare_cards (id, version, effective_from, body, unit) VALUES (51, 500, NOW(3), '{\"from\":\"west\"}', 3)");
    for (const region of [west, east]) region.startApply();
    await same();
    const cards = (await east.rowsOf('fare_cards')).filter((row) => row['version'] === 500);
    expect(cards.map((row) => row['id'])).toEqual(['51']);
    for (const region of [east, west]) {
      expect((await region.conflicts()).find((c) => c['row_id'] === '50' && c['kind'] === 'unique')).toMatchObject({ outcome: 'set-aside' });
    }
    expect(JSON.stringify(await east.conflicts())).toContain('from');
  });

  it('a version from a clock far ahead applies all the same, and a later local write counts up from it', async () => {
    await same();
    const ahead = (BigInt(Date.now()) + 3_600_000n) << 16n;
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit, _hlc, _origin) VALUES (302, 'tomorrow', 2, ?, 1)", [ahead]);
    await same();
    expect(west.apply?.changesAhead).toBeGreaterThan(0);
    await west.sql.execute("UPDATE accounts SET display_name = 'today' WHERE id = 302");
    await same();
    expect(await nameOf(east, 302)).toBe('today');
    expect((await east.rowsOf('accounts')).find((row) => row['id'] === '302')?.['_hlc']).toBe(String(ahead + 1n));
  });

  it('an update replayed after a newer one changes nothing: apply starts over from the first message', async () => {
    await same();
    const before = await west.everything();
    await west.stopApply();
    await west.sql.execute("DELETE FROM _checkpoints WHERE source = 'east'");
    west.startApply();
    await same();
    expect(await west.everything()).toEqual(before);
  });

  it('a transaction larger than a batch commits as one', async () => {
    await west.stopApply();
    west.startApply({ limits: { rows: 20, bytes: 1e6 } });
    await east.sql.execute('START TRANSACTION');
    for (let id = 1000; id < 1150; id += 1) await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (?, 'many', 8)", [id]);
    await east.sql.execute('COMMIT');
    const counts = new Set<string>();
    await until('all rows', async () => {
      const [row] = await west.sql.query<{ n: string | number }>("SELECT COUNT(*) AS n FROM accounts WHERE display_name = 'many'");
      counts.add(String(row?.n));
      return Number(row?.n) === 150;
    });
    expect([...counts].filter((n) => n !== '0' && n !== '150')).toEqual([]);
    await same();
  });

  it('a change with a column the target lacks waits and goes on by itself when the column is there', async () => {
    await west.stopApply();
    west.startApply();
    await east.sql.execute('ALTER TABLE vehicles ADD COLUMN colour VARCHAR(16) NULL');
    await east.sql.execute("INSERT INTO vehicles (id, driver_id, plate, seats, unit, colour) VALUES (900, 1, 'C', 3, 11, 'red')");
    await until('the partition to complain', async () => west.apply?.partitions.some((p) => p.trouble?.includes('vehicles.colour')) ?? false);
    await west.sql.execute('ALTER TABLE vehicles ADD COLUMN colour VARCHAR(16) NULL');
    await same();
    expect((await west.rowsOf('vehicles')).find((row) => row['id'] === '900')).toMatchObject({ colour: 'red' });
  });

  it('every column type of the schema and the extremes of its values arrive exactly', async () => {
    const json = '{"a": [1, 2.5, "ü€😀"], "b": null}';
    await east.sql.execute(
      'INSERT INTO idempotency_keys (id, account_id, idem_key, request_hash, status, locked_until, response_status, response_headers, response_body, unit) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      [9223372036854775807n, -9223372036854775808n, 'k', 'h'.repeat(64), 'done', '2026-01-01 00:00:00.001', 200, json, 'x'.repeat(100_000), 63],
    );
    await same();
  });
});
