/**
 * Gives a region's database its application users, with the rights that the tables of now allow.
 *
 * It connects as root on loopback, and is the only one who does beside the schema step itself.
 */
import type { MysqlConfig } from '../../../shared/mysql/database.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import { DATABASE_USERS, grantStatements } from '../../../shared/schema/grants.ts';
import type { RegionSecrets } from '../secrets.ts';

export async function createUsers(database: MysqlConfig, passwords: RegionSecrets['mysqlUsers']): Promise<void> {
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
