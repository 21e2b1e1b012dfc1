/**
 * Who may do what in a region's database: one user a service, each with the least it needs.
 *
 * Invariant: no user but `tandem_migrate` has DDL, so nobody can TRUNCATE or DROP a replicated table (neither fires a
 * trigger); the payment user cannot change or remove a ledger entry.
 * Deliberately absent: passwords (the caller's) and root's own account.
 */
import { AUDIT_TABLE, CHECKPOINT_TABLE, CONFLICT_TABLE, DEAD_LETTER_TABLE, HEARTBEAT_TABLE, REPLICATED_TABLES, SNAPSHOT_TABLE, TOMBSTONE_TABLE } from './tables.ts';
import type { ReplicatedTable } from './tables.ts';

const WRITE = 'SELECT, INSERT, UPDATE, DELETE';
const APPEND = 'SELECT, INSERT';

const DISPATCH_TABLES = ['accounts', 'vehicles', 'quotes', 'rides', 'ride_events', 'routes', 'stops', 'offers', 'driver_events', 'fares', 'idempotency_keys'] as const satisfies readonly ReplicatedTable[];

type Grant = { readonly privileges: string; readonly on: string };
const onTable = (privileges: string, table: string): Grant => ({ privileges, on: `tandem.${table}` });

/** What each user is granted, by user name. `*.*` rights are the server-wide ones that replication needs. */
const GRANTS = {
  // The heartbeats tell the RPO guard how far the peer has come.
  tandem_dispatch: [...DISPATCH_TABLES.map((table) => onTable(WRITE, table)), onTable('SELECT', HEARTBEAT_TABLE)],
  tandem_pricing: [onTable('SELECT', 'fare_cards')],
  tandem_payment: [
    ...['rides', 'fares', 'quotes', HEARTBEAT_TABLE].map((table) => onTable('SELECT', table)),
    ...['accounts', 'idempotency_keys', 'payments'].map((table) => onTable(WRITE, table)),
    ...['ledger_accounts', 'ledger_transactions', 'ledger_entries'].map((table) => onTable(APPEND, table)),
  ],
  tandem_ops: [{ privileges: 'SELECT', on: 'tandem.*' }],
  tandem_capture: [
    { privileges: 'REPLICATION SLAVE, REPLICATION CLIENT', on: '*.*' },
    // TRIGGER only to see that the version triggers stand: information_schema shows them to nobody else.
    { privileges: 'SELECT, TRIGGER', on: 'tandem.*' },
    onTable('INSERT, UPDATE', HEARTBEAT_TABLE),
    onTable('INSERT, UPDATE', SNAPSHOT_TABLE),
    onTable('INSERT', AUDIT_TABLE),
  ],
  tandem_apply: [{ privileges: WRITE, on: 'tandem.*' }],
  tandem_operator: [
    ...REPLICATED_TABLES.map((table) => onTable(WRITE, table)),
    ...[CHECKPOINT_TABLE, CONFLICT_TABLE, HEARTBEAT_TABLE, TOMBSTONE_TABLE, DEAD_LETTER_TABLE, SNAPSHOT_TABLE, AUDIT_TABLE, '_migrations', '_retired'].map((table) => onTable('SELECT', table)),
    onTable('INSERT', AUDIT_TABLE),
  ],
  tandem_migrate: [{ privileges: 'ALL PRIVILEGES', on: 'tandem.*' }],
} as const satisfies Record<string, readonly Grant[]>;

export type DatabaseUser = keyof typeof GRANTS;
export const DATABASE_USERS = Object.keys(GRANTS) as DatabaseUser[];
/** Must exist before the others' table grants can be given. */
export const MIGRATE_USER: DatabaseUser = 'tandem_migrate';

const PASSWORD_PATTERN = /^[A-Za-z0-9_-]{16,128}$/;

/**
 * Statements that create `user` on the loopback and TCP hosts or reset its password, and give it its rights; run them
 * as root, after the migrations for every user but tandem_migrate (a table grant needs its table). Running them again changes nothing.
 * Both engines take the same words. Passwords must be 16 to 128 letters, digits, `_` or `-`: they are quoted into DDL, which takes no parameters.
 */
export function grantStatements(user: DatabaseUser, password: string): readonly string[] {
  if (!PASSWORD_PATTERN.test(password)) throw new RangeError(`the password of ${user} must be 16 to 128 of A-Z a-z 0-9 _ -`);
  const account = `'${user}'@'%'`;
  return [
    `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${password}'`,
    `ALTER USER ${account} IDENTIFIED BY '${password}'`,
    ...GRANTS[user].map((grant) => `GRANT ${grant.privileges} ON ${grant.on} TO ${account}`),
  ];
}
