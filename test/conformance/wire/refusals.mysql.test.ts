/** What the binlog does not hold as it is, is refused by name: never captured as something else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBinlogSource } from '../../../cdc/capture/binlog-source.ts';
import type { BinlogEvent } from '../../../cdc/capture/binlog-event.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';

const CASE_MS = 60_000;

describe.each(await engines())('a binlog reader on %s', (engine) => {
  let mysql: TestMysql;
  let sql: RawConnection;
  beforeAll(async () => {
    mysql = await startMysql({ engine });
    sql = await openRawConnection(mysql.config, { role: 'refusals' });
  }, CASE_MS);
  afterAll(async () => {
    await sql.close();
    await mysql.stop();
  });

  /** Reads from here on, while `write` writes, up to the first error. */
  async function firstError(write: () => Promise<void>): Promise<TandemError> {
    const [at] = await sql.query<{ position: string }>(engine === 'mysql' ? 'SELECT @@GLOBAL.gtid_executed AS position' : 'SELECT @@GLOBAL.gtid_binlog_pos AS position');
    const failed = Promise.withResolvers<TandemError>();
    const source = await openBinlogSource({
      mysql: mysql.config, replicaId: 4_242, start: { kind: 'gtid', position: at?.position ?? '' },
      onSign: () => {},
      onEvent: (event: BinlogEvent) => void (event.kind === 'rows' && event.rows),
      onError: failed.resolve,
    });
    try {
      await write();
      return await failed.promise;
    } finally {
      await source.stop();
    }
  }

  it('rows without all of their columns stop the stream, naming table and setting', async () => {
    await sql.execute('CREATE TABLE partial (id INT PRIMARY KEY, a INT, b INT)');
    const error = await firstError(async () => {
      await sql.execute('INSERT INTO partial VALUES (1, 1, 1)');
      await sql.execute("SET SESSION binlog_row_image = 'MINIMAL'");
      await sql.execute('UPDATE partial SET b = 2');
      await sql.execute("SET SESSION binlog_row_image = 'FULL'");
    });
    expect(error).toMatchObject({ code: 'capture-unreadable', message: expect.stringMatching(/partial.*binlog_row_image/) as string });
  }, CASE_MS);

  it('rows without column names stop the stream, naming table and setting', async () => {
    await sql.execute('CREATE TABLE nameless (id INT PRIMARY KEY)');
    const error = await firstError(async () => {
      await sql.execute("SET GLOBAL binlog_row_metadata = 'MINIMAL'");
      await sql.execute('INSERT INTO nameless VALUES (1)');
      await sql.execute("SET GLOBAL binlog_row_metadata = 'FULL'");
    });
    expect(error).toMatchObject({ code: 'capture-unreadable', message: expect.stringMatching(/nameless.*binlog_row_metadata/) as string });
  }, CASE_MS);

  it('an XA transaction stops the stream: its rows may still be rolled back', async () => {
    await sql.execute('CREATE TABLE xa_rows (id INT PRIMARY KEY)');
    const error = await firstError(async () => {
      for (const statement of ["XA START 'x'", 'INSERT INTO xa_rows VALUES (1)', "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"]) await sql.execute(statement);
    });
    expect(error).toMatchObject({ code: 'capture-unreadable', message: expect.stringContaining('XA') as string });
  }, CASE_MS);

  it.runIf(engine === 'mysql')('a compressed transaction stops the stream, naming the setting', async () => {
    await sql.execute('CREATE TABLE squeezed (id INT PRIMARY KEY, t TEXT)');
    const error = await firstError(async () => {
      await sql.execute('SET SESSION binlog_transaction_compression = ON');
      await sql.execute("INSERT INTO squeezed VALUES (1, REPEAT('x', 9000))");
      await sql.execute('SET SESSION binlog_transaction_compression = OFF');
    });
    expect(error).toMatchObject({ code: 'capture-unreadable', message: expect.stringContaining('binlog_transaction_compression') as string });
  }, CASE_MS);

  it.runIf(engine === 'mariadb')('columns of MariaDB that the binlog keeps otherwise are named at the start, all at once', async () => {
    await sql.execute("CREATE TABLE odd (id INT PRIMARY KEY, u UUID, i INET6, c TEXT COMPRESSED, fine BINARY(16))");
    const opened = openBinlogSource({
      mysql: mysql.config, replicaId: 4_243, start: { kind: 'gtid', position: '' }, tables: ['odd'], onSign: () => {}, onEvent: () => {}, onError: () => {},
    });
    const error = await opened.then(() => null, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TandemError);
    expect(error).toMatchObject({ code: 'capture-unreadable', details: { columns: ['odd.u', 'odd.i', 'odd.c'] } });
  }, CASE_MS);
});
