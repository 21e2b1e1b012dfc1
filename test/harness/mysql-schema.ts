/** The application's tables and users in a test's database, made the way the launcher makes them. */
import { randomBytes } from 'node:crypto';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { MysqlConfig } from '../../shared/mysql/database.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import { DATABASE_USERS, grantStatements } from '../../shared/schema/grants.ts';
import { migrate } from '../../shared/schema/migrations.ts';

const nothing = (): void => {};
/** A log for tests that do not look at it. */
export const SILENT_LOG: LogSink = { debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing };

export async function migrateSchema(database: MysqlConfig, origin: number): Promise<void> {
  await migrate({ database, origin, log: SILENT_LOG });
}

/** Every application user with a password of its own; by user name. */
export async function createUsers(root: MysqlConfig): Promise<Record<string, MysqlConfig>> {
  const connection = await openRawConnection(root, { role: 'harness' });
  const users: Record<string, MysqlConfig> = {};
  try {
    // Accounts are the region's own: they must not reach the binlog that capture reads.
    await connection.execute('SET SESSION sql_log_bin = 0');
    for (const user of DATABASE_USERS) {
      const password = randomBytes(12).toString('hex');
      for (const statement of grantStatements(user, password)) await connection.execute(statement);
      users[user] = { ...root, user, password };
    }
    return users;
  } finally {
    await connection.close();
  }
}
