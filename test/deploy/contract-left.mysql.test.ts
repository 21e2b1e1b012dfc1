/** What a start says of contract migrations that it has left alone. */
import { expect, test } from 'vitest';
import { contractLeft } from '../../deploy/local/contract-left.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import { loadMigrations, migrate } from '../../shared/schema/migrations.ts';
import { startMysql } from '../harness/mysql.ts';
import { SILENT_LOG } from '../harness/mysql-schema.ts';

test('a database with data has the contract migrations left, by name; an empty one has run them', async () => {
  await using server = await startMysql({ grants: true });
  const migrations = [...(await loadMigrations()), { number: 99, name: '0099-drop', phase: 'contract' as const, statements: ['DROP TABLE IF EXISTS gone'] }];
  const endpoints = {
    router: 'http://127.0.0.1:1', dashboard: 'http://127.0.0.1:2', mysql: server.users['tandem_operator']!, redis: '127.0.0.1:3', kafka: '127.0.0.1:4',
    cdc: { capture: 'http://127.0.0.1:5', apply: 'http://127.0.0.1:6' },
  };
  const topology = { regions: { east: { origin: 1, endpoints } }, etcd: ['127.0.0.1:7'], witness: '127.0.0.1:8' };
  const start = () => migrate({ database: server.config, origin: 1, log: SILENT_LOG, migrations });
  const root = await openRawConnection(server.config, { role: 'test' });
  await root.execute('INSERT INTO accounts (id, unit) VALUES (1, 1)');
  await start();
  expect([...(await contractLeft(topology, migrations))]).toEqual([['east', ['0099-drop']]]);
  await root.execute('DELETE FROM accounts');
  await root.close();
  await start();
  expect((await contractLeft(topology, migrations)).size).toBe(0);
});
