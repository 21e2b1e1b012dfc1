/**
 * What the login of capture may do: lost rights are noticed before the server stops answering, and named with the GRANT that mends it.
 *
 * Invariant: it asks information_schema, because an open session keeps rights on a database that were revoked meanwhile.
 * HAZARD: rights that come by way of a role do not stand there. With a role active nothing is checked here; the server's own
 * refusal is then what tells (binlog-errors.ts).
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../shared/mysql/database.ts';
import { CHECKPOINT_TABLE, HEARTBEAT_TABLE, SNAPSHOT_TABLE } from '../../shared/schema/tables.ts';

/** MariaDB calls REPLICATION CLIENT by another name. */
const SERVER_WIDE: readonly (readonly string[])[] = [['REPLICATION SLAVE'], ['REPLICATION CLIENT', 'BINLOG MONITOR']];

interface Held { readonly privilege: string; readonly schema: string | null; readonly table: string | null }

/** Throws capture-privilege-missing; details.missing lists { privilege, on }, details.grants the statements. */
export async function checkPrivileges(sql: Sql, replicated: readonly string[]): Promise<void> {
  const [self] = await sql.query<{ account: string; role: string | null; db: string }>('SELECT CURRENT_USER() AS account, CURRENT_ROLE() AS role, DATABASE() AS db');
  const { account = '', role = null, db = '' } = self ?? {};
  if (role !== null && role !== 'NONE') return;
  const grantee = quotedAccount(account);
  const held = await sql.query<Held>(
    `SELECT PRIVILEGE_TYPE AS privilege, NULL AS \`schema\`, NULL AS \`table\` FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ?
     UNION ALL SELECT PRIVILEGE_TYPE, TABLE_SCHEMA, NULL FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE = ? AND DATABASE() LIKE TABLE_SCHEMA
     UNION ALL SELECT PRIVILEGE_TYPE, TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLE_PRIVILEGES WHERE GRANTEE = ? AND TABLE_SCHEMA = DATABASE()`,
    [grantee, grantee, grantee],
  );
  const missing = [
    ...SERVER_WIDE.filter((names) => !held.some((each) => each.schema === null && names.includes(each.privilege))).map(([privilege = '']) => ({ privilege, on: '*.*' })),
    ...missingOnTables(held, 'SELECT', [...replicated, CHECKPOINT_TABLE, HEARTBEAT_TABLE, SNAPSHOT_TABLE], db),
    // Without it information_schema does not show the version triggers.
    ...missingOnTables(held, 'TRIGGER', [...replicated, HEARTBEAT_TABLE], db),
    ...['INSERT', 'UPDATE'].flatMap((privilege) => missingOnTables(held, privilege, [HEARTBEAT_TABLE, SNAPSHOT_TABLE], db)),
  ];
  if (missing.length === 0) return;
  const grants = missing.map(({ privilege, on }) => `GRANT ${privilege} ON ${on} TO ${grantee}`);
  throw new TandemError('capture-privilege-missing', `the login ${account} lacks ${missing.map(({ privilege, on }) => `${privilege} on ${on}`).join(', ')}; run: ${grants.join('; ')}`, {
    details: { missing, grants },
  });
}

/** One entry for the database where no table has it, one for each table otherwise. */
function missingOnTables(held: readonly Held[], privilege: string, tables: readonly string[], db: string): { privilege: string; on: string }[] {
  const having = held.filter((each) => each.privilege === privilege);
  if (having.some((each) => each.table === null)) return [];
  const lacking = tables.filter((table) => !having.some((each) => each.table === table));
  if (lacking.length === tables.length && tables.length > 2) return [{ privilege, on: `${db}.*` }];
  return lacking.map((table) => ({ privilege, on: `${db}.${table}` }));
}

/** name@host as information_schema and GRANT write it; a name may hold an @ itself. */
function quotedAccount(account: string): string {
  const at = account.lastIndexOf('@');
  return `'${account.slice(0, at)}'@'${account.slice(at + 1)}'`;
}
