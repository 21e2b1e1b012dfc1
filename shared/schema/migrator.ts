/**
 * One region's database under the migrator's lock: what is still to be run, and the running of it, one statement at a time.
 *
 * Invariant: the lock is held from open to close, by the very connection that runs the statements; where that is lost, so is
 * the lock, and nothing more is run. It decides neither order nor phase (migrations.ts and rollout.ts do).
 */
import { createHash } from 'node:crypto';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import type { MysqlConfig } from '../mysql/database.ts';
import { openRawConnection } from '../mysql/raw-connection.ts';
import type { RawConnection } from '../mysql/raw-connection.ts';
import { checkedRulesFile } from './conflict-rules-file.ts';
import { wasRunBefore } from './lost-record.ts';
import { mergedTables } from './merge-trigger.ts';
import type { Migration } from './migrations.ts';
import { removalsOf, tableOf } from './statement-shape.ts';
import type { Phase, Removal } from './statement-shape.ts';
import { readTableFacts } from './table-facts.ts';
import type { TableFacts } from './table-facts.ts';
import { REPLICATED_TABLES } from './tables.ts';
import { triggersFor } from './triggers.ts';
import type { Trigger } from './triggers.ts';

const LOCK_NAME = 'tandem_migrate';
/** For one statement of a migration; an ALTER of a large table takes its time. */
const STATEMENT_DEADLINE_MS = 3_600_000;

export interface MigratorOptions {
  readonly database: MysqlConfig;
  readonly origin: number;
  readonly log: LogSink;
  readonly migrations: readonly Migration[];
  /** Which tables get version triggers, and make a database one with data; those of ./tables.ts by default. */
  readonly tables?: readonly string[] | undefined;
  /** The file of conflict rules, for the triggers of merged tables; the shipped one by default. */
  readonly rulesFile?: string | undefined;
  /** How long another migrator is waited for. */
  readonly lockWaitS: number;
}

export interface Step {
  readonly migration: string;
  readonly number: number;
  readonly phase: Phase;
  /** Counted from 0 within its migration. */
  readonly step: number;
  readonly statement: string;
  readonly checksum: string;
}

/** Throws schema-busy where another migrator holds the lock for longer than lockWaitS. */
export async function openMigrator(options: MigratorOptions): Promise<Migrator> {
  const connection = await openRawConnection(options.database, { role: 'migrate', queryDeadlineMs: STATEMENT_DEADLINE_MS });
  try {
    await takeLock(connection, options.lockWaitS);
    await createOwnTables(connection);
    return new Migrator(connection, options);
  } catch (e) {
    await connection.close();
    throw e;
  }
}

export class Migrator {
  readonly #connection: RawConnection;
  readonly #options: MigratorOptions;

  /** For openMigrator. */
  constructor(connection: RawConnection, options: MigratorOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /**
   * In the order in which they run. Throws schema-drift where an applied statement's text has changed, or the database has
   * migrations that this code does not know.
   */
  async pending(): Promise<readonly Step[]> {
    const { migrations } = this.#options;
    const rows = await this.#connection.query('SELECT migration, step, checksum FROM _migrations');
    refuseUnknown(rows.map((row) => String(row.migration)), migrations);
    const done = new Map(rows.map((row) => [`${row.migration}#${row.step}`, String(row.checksum)]));
    return migrations.flatMap(stepsOf).filter((step) => !isDone(step, done.get(`${step.migration}#${step.step}`)));
  }

  /** Runs and records it. Throws schema-failed, naming the statement; those before it stand and are recorded. */
  async run(step: Step): Promise<void> {
    const { migration, statement, checksum } = step;
    if (step.phase === 'contract') await this.#retire(step);
    try {
      await this.#connection.execute(statement);
    } catch (cause) {
      if (!(await wasRunBefore(this.#connection, statement, cause))) {
        throw new TandemError('schema-failed', `migration ${migration}, statement ${step.step + 1} failed: ${(cause as Error).message}`, {
          cause,
          details: { migration, step: step.step, statement: statement.slice(0, 200) },
        });
      }
      this.#options.log.warn({ migration, step: step.step }, 'a statement had been run before and only its record was lost');
    }
    await this.#connection.execute('INSERT INTO _migrations (migration, step, checksum) VALUES (?, ?, ?)', [migration, step.step, checksum]);
  }

  /**
   * Creates the wanted triggers that are missing, then drops Tandem's that are no longer wanted. Returns how many it created.
   * `leaving` are columns that are about to be removed: no trigger may name them. Throws conflict-rules-invalid where the rules file does not fit the tables as they are now.
   */
  async bringTriggers(leaving: readonly Removal[] = []): Promise<number> {
    const { origin, tables, rulesFile, log } = this.#options;
    const facts = withoutColumns(await readTableFacts(this.#connection), leaving);
    const rules = await checkedRulesFile({ file: rulesFile, facts, tables });
    const created = await bringTriggers(this.#connection, triggersFor(origin, tables, mergedTables(rules, facts)));
    if (created > 0) log.info({ triggersCreated: created }, 'version triggers stand');
    return created;
  }

  /** True where no replicated table that stands has a row; those that the migrations fill themselves do not count. */
  async isEmpty(): Promise<boolean> {
    const { migrations, tables: all = REPLICATED_TABLES } = this.#options;
    const filled = new Set(migrations.flatMap(({ statements }) => statements.filter((sql) => /^INSERT\b/i.test(sql)).map(tableOf)));
    const tables = all.filter((table) => !filled.has(table));
    const rows = await this.#connection.query<{ name: string }>('SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()');
    const standing = new Set(rows.map(({ name }) => name));
    for (const table of tables.filter((name) => standing.has(name))) {
      if ((await this.#connection.query(`SELECT 1 FROM \`${table}\` LIMIT 1`)).length > 0) return false;
    }
    return true;
  }

  /** The server's own estimate of how many rows a statement has to walk through; null where there is no such table yet. */
  async estimatedRows(statement: string): Promise<number | null> {
    const [row] = await this.#connection.query<{ n: string | number | null }>(
      'SELECT TABLE_ROWS AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?', [tableOf(statement) ?? ''],
    );
    return row === undefined || row.n === null ? null : Number(row.n);
  }

  /** For the proof that precedes a contract step. */
  get connection(): Pick<RawConnection, 'query'> {
    return this.#connection;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #retire({ migration, statement }: Step): Promise<void> {
    const removals = removalsOf(statement);
    for (const { table, column } of removals) {
      await this.#connection.execute('INSERT IGNORE INTO _retired (table_name, column_name, migration) VALUES (?, ?, ?)', [table, column ?? '', migration]);
    }
    // HAZARD: a trigger that names a column fails every write from the moment the column is gone: it is made anew without it first.
    if (removals.some(({ column }) => column !== null) && (await standingTriggers(this.#connection)).size > 0) await this.bringTriggers(removals);
  }
}

async function takeLock(connection: RawConnection, waitS: number): Promise<void> {
  const [row] = await connection.query('SELECT GET_LOCK(?, ?) AS got', [LOCK_NAME, waitS]);
  if (Number(row?.got) !== 1) throw new TandemError('schema-busy', `another migrator has held the lock ${LOCK_NAME} for ${waitS} s`);
}

/** What the migrator keeps for itself: it cannot come from a migration. An empty column_name is a whole table. */
async function createOwnTables(connection: RawConnection): Promise<void> {
  await connection.execute(
    `CREATE TABLE IF NOT EXISTS _migrations (
      migration VARCHAR(64) NOT NULL, step INT UNSIGNED NOT NULL, checksum CHAR(16) NOT NULL,
      done_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), PRIMARY KEY (migration, step)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
  );
  await connection.execute(
    `CREATE TABLE IF NOT EXISTS _retired (
      table_name VARCHAR(64) NOT NULL, column_name VARCHAR(64) NOT NULL, migration VARCHAR(64) NOT NULL,
      retired_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), PRIMARY KEY (table_name, column_name)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
  );
}

function stepsOf({ name, number, phase = 'expand', statements }: Migration): Step[] {
  return statements.map((statement, step) => ({
    migration: name, number, phase, step, statement,
    checksum: createHash('sha256').update(statement).digest('hex').slice(0, 16),
  }));
}

function isDone({ migration, step, checksum }: Step, recorded: string | undefined): boolean {
  if (recorded === undefined || recorded === checksum) return recorded !== undefined;
  throw new TandemError('schema-drift', `statement ${step + 1} of migration ${migration} has changed since it was applied`, {
    details: { migration, step, applied: recorded, found: checksum },
  });
}

function refuseUnknown(recorded: readonly string[], migrations: readonly Migration[]): void {
  const known = new Set(migrations.map((migration) => migration.name));
  const unknown = [...new Set(recorded)].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new TandemError('schema-drift', `the database has migrations this version does not know: ${unknown.join(', ')}`, { details: { unknown } });
  }
}

function withoutColumns(facts: ReadonlyMap<string, TableFacts>, leaving: readonly Removal[]): ReadonlyMap<string, TableFacts> {
  const gone = new Set(leaving.map(({ table, column }) => `${table}.${column}`));
  return new Map([...facts].map(([table, found]) => [
    table, { ...found, columns: new Map([...found.columns].filter(([column]) => !gone.has(`${table}.${column}`))) },
  ]));
}

async function standingTriggers(connection: RawConnection): Promise<Set<string>> {
  const rows = await connection.query(
    "SELECT TRIGGER_NAME AS name FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE 'tandem\\_%'",
  );
  return new Set(rows.map((row) => String(row.name)));
}

async function bringTriggers(connection: RawConnection, wanted: readonly Trigger[]): Promise<number> {
  const standing = await standingTriggers(connection);
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
