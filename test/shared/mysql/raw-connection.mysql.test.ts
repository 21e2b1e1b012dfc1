/** The raw connection against real servers: exact values both ways, session variables, loss. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { until } from '../until.ts';

describe.each(await engines())('raw connection on %s', (engine) => {
  let server: TestMysql;
  let raw: RawConnection;

  beforeAll(async () => {
    server = await startMysql({ engine });
    raw = await openRawConnection(server.config, { role: 'test', session: { '@tandem_apply': 1, lock_wait_timeout: 5 } });
    await raw.execute(`CREATE TABLE exact (id BIGINT UNSIGNED PRIMARY KEY, n BIGINT, price DECIMAL(40, 20), at DATETIME(6), stamp TIMESTAMP(6) NULL, day DATE,
      t TIME(6), y YEAR, doc JSON, bytes BLOB, name TEXT CHARACTER SET utf8mb4, ratio DOUBLE)`);
  });

  afterAll(async () => {
    await raw?.close();
    await server?.stop();
  });

  it('what is read can be written back without changing a digit', async () => {
    const rows = [
      ['18446744073709551615', '-9223372036854775808', '12345678901234567890.01234567890123456789', '2026-03-29 02:30:00.123456', '2026-03-29 02:30:00.654321', '9999-12-31', '-838:59:59.000000', 2026, '{"a": 1}', Buffer.from([0, 39, 92, 255]), 'ü🚲\'', 0.1],
      ['1', '1', '0.00000000000000000001', '1000-01-01 00:00:00.000000', null, null, null, null, null, null, '', -0.000_000_123_456_789_012_34],
    ];
    await raw.execute('INSERT INTO exact VALUES ?', [rows]);
    const read = await raw.query('SELECT * FROM exact ORDER BY id DESC');
    expect(read.map((row) => Object.values(row))).toEqual(rows);
    await raw.execute('DELETE FROM exact');
    await raw.execute('INSERT INTO exact VALUES ?', [read.map((row) => Object.values(row))]);
    expect(await raw.query('SELECT * FROM exact ORDER BY id DESC')).toEqual(read);
  });

  it('the session has what was asked for', async () => {
    expect(await raw.query('SELECT CAST(@tandem_apply AS CHAR) AS flag, @@session.lock_wait_timeout AS timeout')).toEqual([{ flag: '1', timeout: '5' }]);
  });

  it('a refused statement leaves the connection usable; a killed one is lost for good', async () => {
    await expect(raw.query('SELECT no_such_column FROM exact')).rejects.toMatchObject({ code: 'db-failed' });
    expect(raw.isLost).toBe(false);
    const other = await openRawConnection(server.config, { role: 'victim' });
    const [me] = await other.query('SELECT CONNECTION_ID() AS id');
    await raw.execute('KILL ?', [Number(me?.id)]);
    await until('the loss is noticed while idle', 2000, () => other.isLost);
    await expect(other.query('SELECT 1')).rejects.toMatchObject({ code: 'db-unavailable' });
  });

  it('a server that is not there is db-unavailable', async () => {
    await expect(openRawConnection({ ...server.config, port: 1 }, { role: 'test' })).rejects.toMatchObject({ code: 'db-unavailable' });
  });
});
