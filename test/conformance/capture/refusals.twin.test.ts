/** A database that is, or becomes, unfit to be captured: refused by name, noticed while running, gone on with once mended. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Capture } from '../../../cdc/capture/capture.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { ErrorCode } from '../../../shared/kernel/codes.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import { createMetrics } from '../../../shared/telemetry/metrics.ts';
import { observeCapture } from '../../../cdc/capture/capture-metrics.ts';
import { triggersFor } from '../../../shared/schema/triggers.ts';
import { until } from '../../cdc/twin.ts';
import { engines } from '../../harness/mysql.ts';
import { addAccounts, idsOf, startSolo } from './solo.ts';
import type { Solo } from './solo.ts';

const ACCOUNT = "'tandem_capture'@'%'";

describe.each(await engines())('capture refuses on %s', (engine) => {
  let solo: Solo;
  let capture: Capture;
  beforeAll(async () => {
    solo = await startSolo(engine);
    capture = await solo.streaming('east');
  });
  afterAll(async () => await solo?.[Symbol.asyncDispose]());

  const refused = async (code: ErrorCode): Promise<string> => {
    await until(code, async () => capture.status.troubleCode === code, 20_000, () => `${capture.trouble}`);
    return capture.trouble ?? '';
  };
  const streams = async (): Promise<void> => await until('it to stream', async () => capture.trouble === null, 20_000, () => `${capture.trouble}`);
  const atBoot = async (): Promise<string> => {
    try {
      await solo.start('boot');
    } catch (error) {
      return isTandemError(error) ? `${error.code}: ${error.message}` : String(error);
    }
    throw new Error('it started');
  };

  it('a setting that changes while it runs stops it by name and value, shows as a metric, and lets it go on when it is mended', async () => {
    const metrics = createMetrics({ service: 'capture', region: 'east', instance: 'test' });
    observeCapture(metrics, () => capture);
    await solo.sql.execute("SET GLOBAL binlog_row_image = 'MINIMAL'");
    expect(await refused('capture-unsafe-settings')).toContain('binlog_row_image is MINIMAL, must be FULL');
    expect(await metrics.expose()).toMatch(/tandem_capture_unsafe_setting\{.*setting="binlog_row_image",value="MINIMAL".*\} 1/);
    // Written while it is stopped, by a session that still logs full images: nothing is missing.
    await addAccounts(solo.sql, 1);
    await solo.sql.execute("SET GLOBAL binlog_row_image = 'FULL'");
    await streams();
    await solo.caughtUp('east');
    expect(idsOf(await solo.sent('east'))).toEqual([1]);
    await metrics.stop();
  });

  it('REPLICATION SLAVE taken away while it runs is noticed before the server acts on it, and named with its GRANT', async () => {
    await solo.sql.execute(`REVOKE REPLICATION SLAVE ON *.* FROM ${ACCOUNT}`);
    expect(await refused('capture-privilege-missing')).toContain(`GRANT REPLICATION SLAVE ON *.* TO ${ACCOUNT}`);
    expect(await atBoot()).toMatch(/^capture-privilege-missing: the login tandem_capture@% lacks REPLICATION SLAVE on \*\.\*/);
    await solo.sql.execute(`GRANT REPLICATION SLAVE ON *.* TO ${ACCOUNT}`);
    await streams();
  });

  it('SELECT taken away while it runs is noticed, although open sessions keep it, and named with its GRANT', async () => {
    await solo.sql.execute(`REVOKE SELECT ON tandem.* FROM ${ACCOUNT}`);
    expect(await refused('capture-privilege-missing')).toContain(`GRANT SELECT ON tandem.* TO ${ACCOUNT}`);
    expect(await atBoot()).toMatch(/^capture-privilege-missing/);
    await solo.sql.execute(`GRANT SELECT ON tandem.* TO ${ACCOUNT}`);
    await streams();
  });

  it('a version trigger that is missing is named: at boot, and while it runs', async () => {
    const trigger = triggersFor(1).find(({ table, name }) => table === 'accounts' && name.includes('_update_'));
    await solo.sql.execute(`DROP TRIGGER ${trigger?.name}`);
    expect(await refused('capture-schema-missing')).toContain('trigger tandem_accounts_update_');
    expect(await atBoot()).toMatch(/^capture-schema-missing: .*trigger tandem_accounts_update_/);
    await solo.sql.execute(trigger?.sql ?? '');
    await streams();
  });

  it.each(['_checkpoints', '_tombstones', '_heartbeats'])('without %s it does not start, as what apply wrote would come back', async (table) => {
    const away = `${table}_away`;
    await solo.sql.execute(`RENAME TABLE ${table} TO ${away}`);
    expect(await refused('capture-schema-missing')).toContain(`table ${table}`);
    expect(await atBoot()).toContain(`table ${table}`);
    await solo.sql.execute(`RENAME TABLE ${away} TO ${table}`);
    await streams();
  });

  it('rows without all columns in the binlog keep it stopped, with a word on what to do; a reset goes on behind them', async () => {
    const session = await openRawConnection(solo.mysql.config, { role: 'careless' });
    await session.execute("SET SESSION binlog_row_image = 'MINIMAL'");
    await session.execute("UPDATE accounts SET display_name = 'half' WHERE id = 1");
    await session.close();
    expect(await refused('capture-unreadable')).toMatch(/rows of accounts do not carry column .*binlog_row_image/);
    const { sessions } = capture.stats;
    await until('another try', async () => capture.stats.sessions > sessions + 1);
    expect(await refused('capture-unreadable'), 'it does not pass over them').toContain('accounts');
    await capture.reset({ kind: 'now' });
    await streams();
    await addAccounts(solo.sql, 2);
    await solo.caughtUp('east');
    expect(idsOf(await solo.sent('east'))).toEqual([1, 2]);
  });

  it('a statement in the binlog instead of its rows keeps it stopped', async () => {
    const session = await openRawConnection(solo.mysql.config, { role: 'careless' });
    // READ COMMITTED would be logged as rows whatever the format.
    await session.execute('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await session.execute("SET SESSION binlog_format = 'STATEMENT'");
    await session.execute("INSERT INTO accounts (id, display_name, unit) VALUES (3, 'by statement', 3)");
    await session.close();
    expect(await refused('capture-unreadable')).toMatch(/a statement instead of its rows/);
    await capture.reset({ kind: 'now' });
    await streams();
  });

  it('a server that freezes is noticed by its silence, and gone on with', async () => {
    await capture.stop();
    capture = await solo.streaming('silence', { start: { kind: 'now' }, silenceMsMax: 600 });
    const { sessions } = capture.stats;
    // Cut off from the binlog alone: heartbeats are written on another connection.
    solo.mysql.freeze();
    await until('it to notice', async () => capture.trouble !== null, 30_000);
    solo.mysql.thaw();
    await streams();
    expect(capture.stats.sessions).toBeGreaterThan(sessions);
    await addAccounts(solo.sql, 4);
    await solo.caughtUp('silence');
    expect(idsOf(await solo.sent('silence'))).toEqual([4]);
  });
});
