/** A column leaves a merged table, whose update trigger names every column: no write fails, not even between the steps. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { loadMigrations, migrate } from '../../../shared/schema/migrations.ts';
import type { Migration } from '../../../shared/schema/migrations.ts';
import { openMigrator } from '../../../shared/schema/migrator.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

describe.each(await engines())('a merged table on %s', (engine) => {
  let server: Awaited<ReturnType<typeof startMysql>>;
  let db: RawConnection;

  beforeAll(async () => {
    server = await startMysql({ engine });
    db = await openRawConnection(server.config, { role: 'test' });
  });
  afterAll(async () => {
    await db?.close();
    await server?.stop();
  });

  const spareTriggers = async (): Promise<number> => {
    const rows = await db.query("SELECT ACTION_STATEMENT AS s FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = 'routes'");
    return rows.filter((row) => String(row['s']).includes('spare')).length;
  };

  test('a new column counts as written from its migration on, and one that goes is forgotten before it goes', async () => {
    const shipped = await loadMigrations();
    const last = shipped.at(-1)!.number;
    const expand: Migration = { number: last + 1, name: '9001-spare', phase: 'expand', statements: ['ALTER TABLE routes ADD COLUMN spare INT NULL'] };
    const contract: Migration = { number: last + 2, name: '9002-spare-goes', phase: 'contract', statements: ['ALTER TABLE routes DROP COLUMN spare'] };
    await migrate({ database: server.config, origin: 1, log: SILENT_LOG, migrations: [...shipped, expand] });
    await db.execute("INSERT INTO routes (id, driver_id, vehicle_id, seats, status, unit) VALUES (1, 1, 1, 4, 'open', 0)");
    await db.execute('UPDATE routes SET spare = 5 WHERE id = 1');
    const [row] = await db.query("SELECT JSON_VALUE(_merge, '$.g.rest') AS rest, CONCAT(_hlc, '/', _origin) AS at FROM routes WHERE id = 1");
    expect(row!['rest']).toBe(row!['at']);
    expect(await spareTriggers()).toBe(1);

    const migrator = await openMigrator({ database: server.config, origin: 1, log: SILENT_LOG, migrations: [...shipped, expand, contract], lockWaitS: 10 });
    try {
      const [step] = await migrator.pending();
      await migrator.run(step!);
      // Nothing has brought the triggers anew since: this is the moment in which a write would fail.
      await db.execute('UPDATE routes SET seats = 3 WHERE id = 1');
      expect(await spareTriggers()).toBe(0);
    } finally {
      await migrator.close();
    }
  });
});
