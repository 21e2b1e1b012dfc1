/**
 * Brings one region's database to this version: migrations, triggers, then the application's users with their rights.
 * Runs once at each start of the stack; what is there stays.
 *
 * It connects as root on loopback, and is the only one who does.
 */
import { ownRegion, readConfig, regions, text } from '../../../shared/config/config.ts';
import { mysqlConfig, mysqlOf } from '../../../shared/config/process-config.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { MysqlConfig } from '../../../shared/mysql/database.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import { DATABASE_USERS, grantStatements } from '../../../shared/schema/grants.ts';
import { migrate } from '../../../shared/schema/migrations.ts';
import { readSecrets } from '../secrets.ts';
import type { RegionSecrets } from '../secrets.ts';
import { runStep } from './run-step.ts';

await runStep('schema', async (log) => {
  const config = readConfig({
    region: ownRegion('TANDEM_REGION', 'TANDEM_REGIONS'),
    regions: regions('TANDEM_REGIONS'),
    secretsFile: text('TANDEM_SECRETS'),
    ...mysqlConfig,
  }, process.env);
  const database = mysqlOf(config);
  const { applied } = await migrate({ database, origin: config.regions.originOf(config.region), log });
  const passwords = (await readSecrets(config.secretsFile)).regions[config.region]?.mysqlUsers;
  if (passwords === undefined) throw new TandemError('config-invalid', `${config.secretsFile} has no region ${config.region}`);
  await createUsers(database, passwords);
  log.info({ applied, users: DATABASE_USERS.length }, 'the schema stands');
});

async function createUsers(database: MysqlConfig, passwords: RegionSecrets['mysqlUsers']): Promise<void> {
  const root = await openRawConnection(database, { role: 'schema' });
  try {
    // Accounts are the region's own and must not reach the binlog that capture reads.
    await root.execute('SET SESSION sql_log_bin = 0');
    for (const user of DATABASE_USERS) {
      for (const statement of grantStatements(user, passwords[user])) await root.execute(statement);
    }
  } finally {
    await root.close();
  }
}
