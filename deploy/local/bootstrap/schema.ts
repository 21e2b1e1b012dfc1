/**
 * Brings one region's database to this version: migrations, triggers, then the application's users with their rights.
 * Runs once at each start of the stack; what is there stays. Contract migrations are run on an empty database only: on one
 * with data they are left to `tandem migrate --contract`, and the log says which.
 *
 * It connects as root on loopback, and is the only one who does beside the step that makes users.
 */
import { ownRegion, readConfig, regions, text } from '../../../shared/config/config.ts';
import { conflictRulesConfig, mysqlConfig, mysqlOf } from '../../../shared/config/process-config.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { DATABASE_USERS } from '../../../shared/schema/grants.ts';
import { migrate } from '../../../shared/schema/migrations.ts';
import { readSecrets } from '../secrets.ts';
import { createUsers } from './database-users.ts';
import { runStep } from './run-step.ts';

await runStep('schema', async (log) => {
  const config = readConfig({
    region: ownRegion('TANDEM_REGION', 'TANDEM_REGIONS'),
    regions: regions('TANDEM_REGIONS'),
    secretsFile: text('TANDEM_SECRETS'),
    ...mysqlConfig,
    ...conflictRulesConfig,
  }, process.env);
  const database = mysqlOf(config);
  const { applied, left } = await migrate({ database, origin: config.regions.originOf(config.region), log, rulesFile: config.conflictRules });
  const passwords = (await readSecrets(config.secretsFile)).regions[config.region]?.mysqlUsers;
  if (passwords === undefined) throw new TandemError('config-invalid', `${config.secretsFile} has no region ${config.region}`);
  await createUsers(database, passwords);
  log.info({ applied, left, users: DATABASE_USERS.length }, 'the schema stands');
});
