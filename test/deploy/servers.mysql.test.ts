/** The database server as the local stack configures it, on every engine this machine has: binlog, crashes, users, identity. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import type { RawRow } from '../../shared/mysql/raw-connection.ts';
import type { MysqlConfig } from '../../shared/mysql/database.ts';
import { engines, startMysql } from '../harness/mysql.ts';

async function ask(config: MysqlConfig, ...statements: string[]): Promise<RawRow[]> {
  const connection = await openRawConnection(config, { role: 'test' });
  try {
    let rows: RawRow[] = [];
    for (const statement of statements) {
      if (/^(select|show)/i.test(statement)) rows = await connection.query(statement);
      else await connection.execute(statement);
    }
    return rows;
  } finally {
    await connection.close();
  }
}

describe.each(await engines())('a %s server', (engine) => {
  test('has what capture needs switched on, by name and value', async () => {
    await using server = await startMysql({ engine });
    const rows = await ask(server.config, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_format', 'binlog_row_image', 'binlog_row_metadata', 'log_bin', 'sync_binlog', 'innodb_flush_log_at_trx_commit', 'bind_address', 'performance_schema')");
    expect(Object.fromEntries(rows.map((row) => Object.values(row).map(String)))).toMatchObject({
      binlog_format: 'ROW', binlog_row_image: 'FULL', binlog_row_metadata: 'FULL', log_bin: 'ON', sync_binlog: '1',
      innodb_flush_log_at_trx_commit: '1', bind_address: '127.0.0.1', performance_schema: 'OFF',
    });
  });

  test('a session that says nothing is READ COMMITTED, so that an open INSERT does not keep others from deleting', async () => {
    await using server = await startMysql({ engine, schema: true });
    const rows = await ask(server.config, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')");
    expect(new Set(rows.map((row) => Object.values(row)[1]))).toEqual(new Set(['READ-COMMITTED']));
    await ask(server.config, 'INSERT INTO accounts (id, unit) VALUES (1, 1), (2, 1)');
    /** Deletes an account while another session has an INSERT open, whose trigger has looked for a tombstone beside. */
    const deleteBesideInsert = async (level: string, id: number): Promise<void> => {
      const [writer, other] = [await openRawConnection(server.config, { role: 'test' }), await openRawConnection(server.config, { role: 'test' })];
      try {
        await writer.execute(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`);
        await writer.execute('START TRANSACTION');
        await writer.execute('INSERT INTO accounts (id, unit) VALUES (?, 1)', [1_000 + id]);
        await other.execute('SET SESSION innodb_lock_wait_timeout = 1');
        await other.execute('DELETE FROM accounts WHERE id = ?', [id]);
      } finally {
        await Promise.all([writer.close(), other.close()]);
      }
    };
    await deleteBesideInsert('READ COMMITTED', 1);
    // What the engines' own default would do.
    await expect(deleteBesideInsert('REPEATABLE READ', 2)).rejects.toMatchObject({ details: { errno: 1205 } });
  });

  test('keeps what it acknowledged over a kill -9, on the same port', async () => {
    await using server = await startMysql({ engine });
    await ask(server.config, 'CREATE TABLE t (id INT PRIMARY KEY)', 'INSERT INTO t VALUES (1), (2)');
    await server.kill9();
    await server.restart();
    expect(await ask(server.config, 'SELECT COUNT(*) AS n FROM t')).toEqual([{ n: '2' }]);
  });

  test('keeps accounts and its own set-up out of the binlog, and gives the application users their rights', async () => {
    await using server = await startMysql({ engine, grants: true });
    const events = await ask(server.config, 'SHOW BINLOG EVENTS');
    expect(events.filter((event) => /IDENTIFIED|GRANT|CREATE USER|ALTER USER/i.test(String(event.Info)))).toEqual([]);
    const pricing = server.users.tandem_pricing as MysqlConfig;
    expect((await ask(pricing, 'SELECT COUNT(*) AS n FROM fare_cards')).length).toBe(1);
    await expect(ask(pricing, 'SELECT COUNT(*) AS n FROM rides')).rejects.toThrow(/denied/);
  });

  test('has an identity of its own, although its data is copied from a template', async () => {
    await using left = await startMysql({ engine, origin: 1 });
    await using right = await startMysql({ engine, origin: 2 });
    const identity = engine === 'mysql' ? 'SELECT @@server_uuid AS id' : 'SELECT @@server_uid AS id';
    const ids = await Promise.all([left, right].map(async ({ config }) => (await ask(config, identity))[0]?.id));
    expect(ids[0]).not.toBe(ids[1]);
  });
});

describe('a test that names no engine', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('gets one of those that TANDEM_TEST_ENGINES leaves, or none', async () => {
    const last = (await engines()).at(-1)!;
    vi.stubEnv('TANDEM_TEST_ENGINES', last);
    await using server = await startMysql();
    expect(server.engine).toBe(last);
    vi.stubEnv('TANDEM_TEST_ENGINES', 'another');
    await expect(startMysql()).rejects.toMatchObject({ code: 'missing-program' });
  });
});
