/**
 * Brings one region's database to the newest schema: numbered SQL files, then the version triggers.
 *
 * Invariant: a statement is recorded once it has run, so a migration that was interrupted goes on at the statement
 * it had reached; statements are written to be harmless if the record was lost (`IF NOT EXISTS`, `INSERT IGNORE`).
 * Two migrators at once are safe: the second waits for the named lock, then finds nothing left to do.
 * Deliberately absent: down migrations (the next number mends), and copying DDL to the peer (each region migrates itself).
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import type { MysqlConfig } from '../mysql/database.ts';
import { openRawConnection } from '../mysql/raw-connection.ts';
import type { RawConnection } from '../mysql/raw-connection.ts';
import { triggersFor } from './triggers.ts';
import type { Trigger } from './triggers.ts';

const MIGRATIONS_FOLDER = new URL('./migrations/', import.meta.url);
const LOCK_NAME = 'tandem_migrate';
/** A migrator that waits longer than this for another one says so and fails. */
export const LOCK_WAIT_S_MAX = 120;
/** For one statement of a migration; an ALTER of a large table takes its time. */
const STATEMENT_DEADLINE_MS = 3_600_000;
const FILE_PATTERN = /^(\d{4})-[a-z0-9-]+\.sql$/;

export type Migration = { readonly number: number; readonly name: string; readonly statements: readonly string[] };
export type MigrationReport = { readonly applied: readonly string[]; readonly triggersCreated: number };

/**
 * Applies what is missing and returns what it did. `origin` is the region's number, baked into the triggers.
 * Throws schema-drift where an applied migration's text has changed or the database is newer than this code,
 * schema-busy where another migrator holds the lock for longer than LOCK_WAIT_S_MAX.
 */
export async function migrate(options: {
  database: MysqlConfig;
  origin: number;
  log: LogSink;
  migrations?: readonly Migration[];
  /** Which tables get version triggers; those of ./tables.ts by default. */
  tables?: readonly string[];
}): Promise<MigrationReport> {
  const migrations = options.migrations ?? (await loadMigrations());
  const connection = await openRawConnection(options.database, { role: 'migrate', queryDeadlineMs: STATEMENT_DEADLINE_MS });
  try {
    await takeLock(connection);
    await connection.execute(
      `CREATE TABLE IF NOT EXISTS _migrations (
        migration VARCHAR(64) NOT NULL, step INT UNSIGNED NOT NULL, checksum CHAR(16) NOT NULL,
        done_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), PRIMARY KEY (migration, step)
      ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
    );
    const applied = await applyMigrations(connection, migrations, options.log);
    const triggersCreated = await bringTriggers(connection, triggersFor(options.origin, options.tables));
    if (triggersCreated > 0) options.log.info({ triggersCreated }, 'version triggers stand');
    return { applied, triggersCreated };
  } finally {
    await connection.close();
  }
}

/** The migrations of ./migrations in order; a gap or a repeated number is a programmer's error and throws. */
export async function loadMigrations(folder: URL = MIGRATIONS_FOLDER): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number(FILE_PATTERN.exec(name)?.[1]);
      if (number !== index + 1) throw new Error(`migration ${name}: expected number ${index + 1} and a name like 0001-nouns.sql`);
      return { number, name: name.slice(0, -4), statements: splitStatements(await readFile(new URL(name, folder), 'utf8')) };
    }),
  );
}

/** Statements end with a semicolon at a line's end; `--` lines are comments. No delimiters: triggers are not written here. */
export function splitStatements(text: string): readonly string[] {
  const code = text.split('\n').filter((line) => !line.trimStart().startsWith('--')).join('\n');
  return code.split(/;[ \t]*(?:\n|$)/).map((statement) => statement.trim()).filter((statement) => statement !== '');
}

async function takeLock(connection: RawConnection): Promise<void> {
  const [row] = await connection.query('SELECT GET_LOCK(?, ?) AS got', [LOCK_NAME, LOCK_WAIT_S_MAX]);
  if (Number(row?.got) !== 1) {
    throw new TandemError('schema-busy', `another migrator has held the lock ${LOCK_NAME} for ${LOCK_WAIT_S_MAX} s`);
  }
}

async function applyMigrations(connection: RawConnection, migrations: readonly Migration[], log: LogSink): Promise<string[]> {
  const rows = await connection.query('SELECT migration, step, checksum FROM _migrations');
  const done = new Map(rows.map((row) => [`${row.migration}#${row.step}`, row.checksum]));
  refuseDrift(rows.map((row) => String(row.migration)), migrations);
  const applied: string[] = [];
  for (const { name, statements } of migrations) {
    for (const [step, statement] of statements.entries()) {
      const checksum = createHash('sha256').update(statement).digest('hex').slice(0, 16);
      const before = done.get(`${name}#${step}`);
      if (before === checksum) continue;
      if (before !== undefined) {
        throw new TandemError('schema-drift', `statement ${step + 1} of migration ${name} has changed since it was applied`, {
          details: { migration: name, step, applied: before, found: checksum },
        });
      }
      await runStatement(connection, { name, step, statement, checksum });
      if (!applied.includes(name)) applied.push(name);
    }
    if (applied.includes(name)) log.info({ migration: name }, 'migration applied');
  }
  return applied;
}

function refuseDrift(recorded: readonly string[], migrations: readonly Migration[]): void {
  const known = new Set(migrations.map((migration) => migration.name));
  const unknown = [...new Set(recorded)].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new TandemError('schema-drift', `the database has migrations this version does not know: ${unknown.join(', ')}`, {
      details: { unknown },
    });
  }
}

async function runStatement(
  connection: RawConnection,
  { name, step, statement, checksum }: { name: string; step: number; statement: string; checksum: string },
): Promise<void> {
  try {
    await connection.execute(statement);
  } catch (cause) {
    throw new TandemError('schema-failed', `migration ${name}, statement ${step + 1} failed: ${(cause as Error).message}`, {
      cause,
      details: { migration: name, step, statement: statement.slice(0, 200) },
    });
  }
  await connection.execute('INSERT INTO _migrations (migration, step, checksum) VALUES (?, ?, ?)', [name, step, checksum]);
}

/** Creates the wanted triggers that are missing, then drops Tandem's that are no longer wanted. */
async function bringTriggers(connection: RawConnection, wanted: readonly Trigger[]): Promise<number> {
  const rows = await connection.query(
    "SELECT TRIGGER_NAME AS name FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE 'tandem\\_%'",
  );
  const standing = new Set(rows.map((row) => String(row.name)));
  const missing = wanted.filter((trigger) => !standing.has(trigger.name));
  for (const trigger of missing) await createTrigger(connection, trigger);
  const keep = new Set(wanted.map((trigger) => trigger.name));
  for (const name of standing) if (!keep.has(name)) await connection.execute(`DROP TRIGGER IF EXISTS \`${name}\``);
  return missing.length;
}

async function createTrigger(connection: RawConnection, { name, table, sql }: Trigger): Promise<void> {
  try {
    await connection.execute(sql);
  } catch (cause) {
    const message = `trigger ${name} on ${table} cannot be created: ${(cause as Error).message}`;
    throw new TandemError('schema-failed', message, { cause, details: { trigger: name, table } });
  }
}
