/** Migrations: once each, two at once, interrupted, edited; and the rights of every database user. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { DATABASE_USERS, grantStatements } from '../../../shared/schema/grants.ts';
import { loadMigrations, migrate, splitStatements } from '../../../shared/schema/migrations.ts';
import { REPLICATED_TABLES } from '../../../shared/schema/tables.ts';
import { engines, startMysql } from '../../harness/mysql.ts';

const QUIET = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

test('statements end at a semicolon that ends a line; comment lines are dropped', () => {
  expect(splitStatements("-- a; b\nSELECT 1;\nSELECT ';x' ;  \n\n")).toEqual(['SELECT 1', "SELECT ';x'"]);
});

describe.each(await engines())('migrations on %s', (engine) => {
  let server: Awaited<ReturnType<typeof startMysql>>;
  let root: RawConnection;

  beforeAll(async () => {
    server = await startMysql({ engine });
    root = await openRawConnection(server.config, { role: 'test' });
  });
  beforeEach(async () => {
    await root.execute('DROP DATABASE tandem');
    await root.execute('CREATE DATABASE tandem CHARACTER SET utf8mb4');
    await root.execute('USE tandem');
  });
  afterAll(async () => {
    await root?.close();
    await server?.stop();
  });
  const run = (migrations?: Awaited<ReturnType<typeof loadMigrations>>) =>
    migrate({ database: server.config, origin: 1, log: QUIET, migrations });

  test('two migrators at once apply each statement once, and a third finds nothing to do', async () => {
    const [first, second] = await Promise.all([run(), run()]);
    const all = (await loadMigrations()).map((migration) => migration.name);
    expect([...first.applied, ...second.applied].toSorted()).toEqual(all);
    expect(first.triggersCreated + second.triggersCreated).toBe((REPLICATED_TABLES.length + 1) * 3);
    expect(await run()).toEqual({ applied: [], triggersCreated: 0, left: [] });
  });

  test('every replicated table has its key, its unit and its invisible version', async () => {
    await run();
    for (const table of REPLICATED_TABLES) {
      const columns = await root.query(
        'SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, COLUMN_KEY AS k, EXTRA AS extra FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
        ['tandem', table],
      );
      const byName = new Map(columns.map((column) => [column.name, column]));
      expect(byName.get('id'), table).toMatchObject({ k: 'PRI', type: expect.stringMatching(/^bigint(\(20\))?$/) });
      for (const name of ['unit', 'created_at', 'updated_at']) expect(byName.has(name), `${table}.${name}`).toBe(true);
      for (const name of ['_hlc', '_origin']) expect(String(byName.get(name)?.extra), `${table}.${name}`).toMatch(/INVISIBLE/i);
    }
  });

  test('an interrupted migration goes on at the statement it had reached', async () => {
    const broken = [{ number: 1, name: '0001-two', statements: ['CREATE TABLE IF NOT EXISTS a (id INT)', 'SYNTAX ERROR'] }];
    await expect(run(broken)).rejects.toMatchObject({ code: 'schema-failed', message: expect.stringContaining('statement 2') });
    await root.execute('DROP TABLE a');
    const mended = [{ ...broken[0]!, statements: [broken[0]!.statements[0]!, 'CREATE TABLE IF NOT EXISTS b (id INT)'] }];
    await expect(run(mended)).rejects.toMatchObject({ code: 'conflict-rules-invalid' }); // the rules' tables are not there
    const tables = (await root.query('SHOW TABLES')).map((row) => Object.values(row)[0]);
    expect(tables).toContain('b');
    expect(tables).not.toContain('a'); // it was recorded as done, so it was not run again
  });

  test('a lost record of an added column is written again where the definition agrees, and is a failure where it does not', async () => {
    await run();
    const add = 'ALTER TABLE vehicles ADD COLUMN colour VARCHAR(16) NULL AFTER unit, ADD KEY by_colour (colour)';
    const shipped = await loadMigrations();
    const runWith = (statement: string) => run([...shipped, { number: 99, name: '0099-colour', statements: [statement] }]);
    await runWith(add);
    await root.execute("DELETE FROM _migrations WHERE migration = '0099-colour'");
    await expect(runWith(add.replace('16', '17'))).rejects.toMatchObject({ code: 'schema-failed', message: expect.stringContaining('colour') });
    expect((await runWith(add)).applied).toEqual(['0099-colour']);
    expect(await root.query("SELECT step FROM _migrations WHERE migration = '0099-colour'")).toHaveLength(1);
  });

  test('what a contract file removes goes at once from an empty database, and stays in one with data, said by name', async () => {
    const grown = [...(await loadMigrations()), { number: 98, name: '0098-add', statements: ['ALTER TABLE vehicles ADD COLUMN colour VARCHAR(16) NULL'] }];
    const shrunk = [...grown, { number: 99, name: '0099-drop', phase: 'contract' as const, statements: ['ALTER TABLE vehicles DROP COLUMN colour'] }];
    await run(grown);
    await root.execute('INSERT INTO accounts (id, unit) VALUES (1, 1)');
    expect(await run(shrunk)).toMatchObject({ applied: [], left: ['0099-drop'] });
    expect(await columnsNamed('colour')).toBe(1);
    await root.execute('DELETE FROM accounts');
    expect(await run(shrunk)).toMatchObject({ applied: ['0099-drop'], left: [] });
    expect(await columnsNamed('colour')).toBe(0);
    expect(await root.query('SELECT table_name, column_name FROM _retired')).toEqual([{ table_name: 'vehicles', column_name: 'colour' }]);
    // Its record lost as well: what is gone already is done.
    await root.execute("DELETE FROM _migrations WHERE migration = '0099-drop'");
    expect((await run(shrunk)).applied).toEqual(['0099-drop']);
  });

  const columnsNamed = async (name: string): Promise<number> =>
    Number((await root.query("SELECT COUNT(*) AS n FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'tandem' AND COLUMN_NAME = ?", [name]))[0]!.n);

  test('an applied statement that was edited since is refused by name', async () => {
    await run();
    const edited = (await loadMigrations()).map((migration, index) =>
      index === 1 ? { ...migration, statements: migration.statements.map((statement) => `${statement} `.replace('accounts', 'people')) } : migration,
    );
    await expect(run(edited)).rejects.toMatchObject({ code: 'schema-drift', message: expect.stringContaining('0002-people') });
    const older = (await loadMigrations()).slice(0, 3);
    await expect(run(older)).rejects.toMatchObject({ code: 'schema-drift', message: expect.stringContaining('0007-fare-cards') });
  });

  test('a trigger of another origin is replaced without a moment without one', async () => {
    await run();
    await migrate({ database: server.config, origin: 2, log: QUIET });
    const triggers = await root.query("SELECT COUNT(*) AS n FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'tandem'");
    expect(Number(triggers[0]!.n)).toBe((REPLICATED_TABLES.length + 1) * 3);
    await root.execute('INSERT INTO accounts (id, unit) VALUES (1, 1)');
    expect((await root.query('SELECT _origin FROM accounts'))[0]!._origin).toEqual(expect.toSatisfy((value) => Number(value) === 2));
  });

  test('no user but the migrator has DDL, and the ledger can only be added to', async () => {
    await run();
    const password = 'test-password-0123456789';
    for (const user of DATABASE_USERS) for (const statement of grantStatements(user, password)) await root.execute(statement);
    for (const user of DATABASE_USERS.filter((name) => name !== 'tandem_migrate')) {
      const db = await openRawConnection({ ...server.config, user, password }, { role: 'test' });
      try {
        await expect(db.execute('TRUNCATE TABLE fare_cards'), user).rejects.toThrow(/denied/);
        await expect(db.execute('DROP TABLE fare_cards'), user).rejects.toThrow(/denied/);
      } finally {
        await db.close();
      }
    }
    const payment = await openRawConnection({ ...server.config, user: 'tandem_payment', password }, { role: 'test' });
    try {
      await payment.execute("INSERT INTO ledger_entries (id, transaction_id, account_id, amount_cents, currency, unit) VALUES (1, 1, 1, 5, 'USD', 0)");
      await expect(payment.execute('UPDATE ledger_entries SET amount_cents = 6')).rejects.toThrow(/denied/);
      await expect(payment.execute('DELETE FROM ledger_entries')).rejects.toThrow(/denied/);
    } finally {
      await payment.close();
    }
  });
});
