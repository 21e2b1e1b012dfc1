/**
 * Brings one region's database to the newest schema: numbered SQL files, then the version triggers.
 *
 * A file has a phase, in its header comment. `-- phase: expand` (the default) only adds; it may run while older processes and
 * changes without it are about. `-- phase: contract` takes away what nobody writes any more, and runs only once that is proven
 * (./contract-proof.ts). An expand file stands on expand files alone, as a contract file before it may have been left for later.
 *
 * Invariant: a statement is recorded once it has run, so a migration that was interrupted goes on at the statement
 * it had reached; where only the record was lost, ./lost-record.ts finds the work done. What a contract statement removes is
 * noted in _retired before it goes, so that apply can tell a column that was retired from one that is yet to come.
 * Two migrators at once are safe: the second waits for the named lock, then finds nothing left to do.
 * Deliberately absent: down migrations (the next number mends), and copying DDL to the peer (each region migrates itself).
 */
import { readdir, readFile } from 'node:fs/promises';
import type { LogSink } from '../kernel/log-sink.ts';
import { openMigrator } from './migrator.ts';
import type { MigratorOptions, Step } from './migrator.ts';
import { phaseOf, phaseProblem } from './statement-shape.ts';
import type { Phase } from './statement-shape.ts';

const MIGRATIONS_FOLDER = new URL('./migrations/', import.meta.url);
/** A migrator that waits longer than this for another one says so and fails. */
export const LOCK_WAIT_S_MAX = 120;
const FILE_PATTERN = /^(\d{4})-[a-z0-9-]+\.sql$/;

export type Migration = {
  readonly number: number;
  readonly name: string;
  /** expand where it is not said. */
  readonly phase?: Phase;
  readonly statements: readonly string[];
};

export type MigrationReport = {
  readonly applied: readonly string[];
  readonly triggersCreated: number;
  /** Contract migrations that were not run, as the database holds data: `tandem migrate --contract` does. */
  readonly left: readonly string[];
};

/**
 * Applies what is missing and returns what it did. `origin` is the region's number, baked into the triggers.
 * An empty database (no replicated table has a row) gets every migration; one with data the expand steps only.
 * Throws schema-drift where an applied migration's text has changed or the database is newer than this code,
 * schema-busy where another migrator holds the lock for longer than LOCK_WAIT_S_MAX.
 */
export async function migrate(options: Omit<MigratorOptions, 'migrations' | 'lockWaitS'> & { migrations?: readonly Migration[] }): Promise<MigrationReport> {
  const migrations = options.migrations ?? (await loadMigrations());
  const migrator = await openMigrator({ ...options, migrations, lockWaitS: LOCK_WAIT_S_MAX });
  try {
    const pending = await migrator.pending();
    const isEmpty = pending.some(({ phase }) => phase === 'contract') && (await migrator.isEmpty());
    const wanted = pending.filter(({ phase }) => isEmpty || phase === 'expand');
    for (const step of wanted) {
      await migrator.run(step);
      if (isLastOf(step, wanted)) options.log.info({ migration: step.migration }, 'migration applied');
    }
    const triggersCreated = await migrator.bringTriggers();
    const left = namesOf(pending.filter((step) => !wanted.includes(step)));
    tellLeft(options.log, left);
    return { applied: namesOf(wanted), triggersCreated, left };
  } finally {
    await migrator.close();
  }
}

function tellLeft(log: LogSink, left: readonly string[]): void {
  if (left.length === 0) return;
  log.warn({ left }, 'this database holds data: what these migrations remove stays until `tandem migrate --contract` has proof that nobody writes it');
}

function isLastOf(step: Step, steps: readonly Step[]): boolean {
  return steps.findLast(({ migration }) => migration === step.migration) === step;
}

export function namesOf(steps: readonly Step[]): string[] {
  return [...new Set(steps.map(({ migration }) => migration))];
}

/** The migrations of ./migrations in order; a gap, a repeated number or a statement in the wrong phase is a programmer's error and throws. */
export async function loadMigrations(folder: URL = MIGRATIONS_FOLDER): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number(FILE_PATTERN.exec(name)?.[1]);
      if (number !== index + 1) throw new Error(`migration ${name}: expected number ${index + 1} and a name like 0001-nouns.sql`);
      return parseMigration(name.slice(0, -4), number, await readFile(new URL(name, folder), 'utf8'));
    }),
  );
}

/** The number of the newest migration that this code carries: a process that carries it writes nothing that it removes. */
export async function newestMigration(folder: URL = MIGRATIONS_FOLDER): Promise<number> {
  return (await readdir(folder)).filter((name) => FILE_PATTERN.test(name)).length;
}

export function parseMigration(name: string, number: number, text: string): Migration {
  const phase = phaseOf(text);
  const statements = splitStatements(text);
  const problems = statements.map((statement) => phaseProblem(phase, statement)).filter((problem) => problem !== null);
  if (problems.length > 0) throw new Error(`migration ${name} ${problems.join('; ')}`);
  return { number, name, phase, statements };
}

/** Statements end with a semicolon at a line's end; `--` lines are comments. No delimiters: triggers are not written here. */
export function splitStatements(text: string): readonly string[] {
  const code = text.split('\n').filter((line) => !line.trimStart().startsWith('--')).join('\n');
  return code.split(/;[ \t]*(?:\n|$)/).map((statement) => statement.trim()).filter((statement) => statement !== '');
}
