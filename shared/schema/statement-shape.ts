/**
 * What a migration's statement does to which table, read from its text: enough to show a plan and to keep the phases honest.
 *
 * Invariant: pure. It knows the dialect that migrations are written in (one statement, names bare or in backticks), not SQL;
 * what it does not recognise has no table and removes nothing.
 */

export type Phase = 'expand' | 'contract';

/** `column` null: the whole table. */
export interface Removal { readonly table: string; readonly column: string | null }

const NAME = '`?(\\w+)`?';
const TABLE_PATTERN = new RegExp(
  `^(?:ALTER TABLE|CREATE TABLE(?: IF NOT EXISTS)?|DROP TABLE(?: IF EXISTS)?|UPDATE|INSERT(?: IGNORE)? INTO|DELETE FROM|(?:CREATE (?:UNIQUE )?|DROP )INDEX ${NAME.replace('(', '(?:')} ON) ${NAME}`,
  'i',
);
const PHASE_PATTERN = /^--[ \t]*phase:[ \t]*(\S*)[ \t]*$/gim;
const NOT_A_COLUMN = /^(?:PRIMARY|KEY|INDEX|FOREIGN|CONSTRAINT|CHECK|PARTITION|DEFAULT|SYSTEM|PERIOD)$/i;

/** The table that a statement is about; null where it names none. */
export function tableOf(statement: string): string | null {
  return TABLE_PATTERN.exec(flat(statement))?.[1] ?? null;
}

/** Columns and tables that will be gone, in the statement's order. */
export function removalsOf(statement: string): readonly Removal[] {
  const text = flat(statement);
  const table = tableOf(text);
  if (table === null) return [];
  if (/^DROP TABLE /i.test(text)) return [{ table, column: null }];
  if (!/^ALTER TABLE /i.test(text)) return [];
  return clausesOf(text)
    .map((clause) => new RegExp(`^DROP (?:COLUMN )?(?:IF EXISTS )?${NAME}`, 'i').exec(clause)?.[1])
    .filter((column) => column !== undefined && !NOT_A_COLUMN.test(column))
    .map((column) => ({ table, column: column! }));
}

/** Columns and keys that an ALTER TABLE adds, by name. A key without a name cannot be told and is left out. */
export function additionsOf(statement: string): { readonly columns: readonly string[]; readonly keys: readonly string[] } {
  const clauses = /^ALTER TABLE /i.test(statement) ? clausesOf(flat(statement)) : [];
  const named = (pattern: RegExp): string[] => clauses.map((clause) => pattern.exec(clause)?.[1]).filter((name) => name !== undefined);
  const keys = named(new RegExp(`^ADD (?:UNIQUE )?(?:KEY|INDEX) ${NAME}`, 'i')).concat(named(new RegExp(`^ADD UNIQUE (?!KEY|INDEX)${NAME}`, 'i')));
  const columns = named(new RegExp(`^ADD (?:COLUMN )?${NAME}`, 'i')).filter((name) => !/^(?:UNIQUE|FULLTEXT|SPATIAL)$/i.test(name) && !NOT_A_COLUMN.test(name));
  return { columns, keys };
}

/**
 * The phase that a file's header comment names (`-- phase: contract`); expand where it names none.
 * Throws a RangeError for another word.
 */
export function phaseOf(text: string): Phase {
  const words = [...text.matchAll(PHASE_PATTERN)].map(([, word]) => word!.toLowerCase());
  const phase = words[0] ?? 'expand';
  if (words.length > 1 || (phase !== 'expand' && phase !== 'contract')) {
    throw new RangeError(`"-- phase: ${words.join(', ')}": a file has one phase, expand or contract`);
  }
  return phase;
}

/**
 * Why a statement may not stand in a file of this phase, as a sentence; null where it may. A rename in one step is refused
 * in both: the old and the new name must stand side by side while both regions, and changes on their way, move over.
 */
export function phaseProblem(phase: Phase, statement: string): string | null {
  const text = flat(statement);
  if (/^RENAME TABLE /i.test(text)) return 'renames a table in one step: create the new one, copy, and drop the old one in a contract file';
  const renames = /^ALTER TABLE /i.test(text) && clausesOf(text).some((clause) => /^RENAME (?:COLUMN|TO|AS) /i.test(clause) || isRenamingChange(clause));
  if (renames) return 'renames in one step: add the new name, copy, and drop the old one in a contract file';
  const [removal] = removalsOf(statement);
  if (phase === 'contract' || removal === undefined) return null;
  const what = removal.column === null ? `the table ${removal.table}` : `${removal.table}.${removal.column}`;
  return `removes ${what}, which belongs into a file with "-- phase: contract"`;
}

function isRenamingChange(clause: string): boolean {
  const [, from, to] = new RegExp(`^CHANGE (?:COLUMN )?${NAME} ${NAME}`, 'i').exec(clause) ?? [];
  return from !== undefined && from !== to;
}

/** The clauses of an ALTER TABLE: split at commas outside of parentheses and quotes. */
function clausesOf(text: string): string[] {
  const body = text.replace(new RegExp(`^ALTER TABLE ${NAME} `, 'i'), '');
  const clauses = [''];
  let depth = 0;
  for (const [token] of body.matchAll(/'(?:[^'\\]|\\.|'')*'|"[^"]*"|`[^`]*`|[\s\S]/g)) {
    if (token === '(') depth += 1;
    if (token === ')') depth -= 1;
    if (token === ',' && depth === 0) clauses.push('');
    else clauses[clauses.length - 1] += token;
  }
  return clauses.map((clause) => clause.trim());
}

function flat(statement: string): string {
  return statement.trim().replaceAll(/\s+/g, ' ');
}
