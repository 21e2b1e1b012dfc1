/** Capture refuses a database whose binlog it could not read right, by the name and the value of the setting. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkServerSettings } from '../../../cdc/capture/server-settings.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

const BAD = [
  ['binlog_row_image', 'MINIMAL', 'FULL'],
  ['binlog_row_metadata', 'MINIMAL', 'FULL'],
  ['binlog_format', 'MIXED', 'ROW'],
] as const;
const BAD_ON_MYSQL = [
  ['binlog_row_value_options', 'PARTIAL_JSON', '(empty)'],
  ['binlog_transaction_compression', 'ON', 'OFF'],
] as const;

describe.each(await engines())('server settings of %s', (engine) => {
  let mysql: TestMysql;
  let database: Database;
  beforeAll(async () => {
    mysql = await startMysql({ engine });
    database = openDatabase(mysql.config, { log: SILENT_LOG });
  });
  afterAll(async () => {
    await database?.close();
    await mysql?.stop();
  });

  it('those of the stack are accepted', async () => {
    expect(await checkServerSettings(database, SILENT_LOG)).toMatchObject({ engine, serverId: 1 });
  });

  it.each(engine === 'mysql' ? [...BAD, ...BAD_ON_MYSQL] : BAD)('%s=%s is refused by name', async (setting, value, wanted) => {
    const [before] = await database.query<{ Value: string }>('SHOW GLOBAL VARIABLES WHERE Variable_name = ?', [setting]);
    await database.execute(`SET GLOBAL ${setting} = '${value}'`);
    try {
      await expect(checkServerSettings(database, SILENT_LOG)).rejects.toMatchObject({
        code: 'capture-unsafe-settings', message: expect.stringContaining(`${setting} is ${value}, must be ${wanted}`),
        details: { settings: [{ setting, value, wanted }] },
      });
    } finally {
      await database.execute(`SET GLOBAL ${setting} = '${before?.Value ?? ''}'`);
    }
  });
});
