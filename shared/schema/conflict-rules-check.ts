/**
 * Do the rules fit the database? Everything that does not, in one list.
 *
 * Invariant: rules that pass can be merged by: every named column is there, in one group, of a type its rule can decide, and no
 * unique key draws its columns from two groups (a merge could then make a value that neither region wrote).
 */
import { TandemError } from '../kernel/tandem-error.ts';
import { MERGE_COLUMN, REST_GROUP, UNGROUPED_COLUMNS, columnsOf, mergeRules } from './conflict-rules.ts';
import type { ConflictRules, Group, MergeRules } from './conflict-rules.ts';
import { parseRules } from './conflict-rules-parse.ts';
import type { ParsedTable, Problem } from './conflict-rules-parse.ts';
import type { ColumnFacts, TableFacts } from './table-facts.ts';

const INTEGER_BITS: Readonly<Record<string, bigint>> = { tinyint: 8n, smallint: 16n, mediumint: 24n, int: 32n, bigint: 64n };
const STATE_TYPES: ReadonlySet<string> = new Set(['char', 'varchar', 'enum']);
const ORDERED_TYPES: ReadonlySet<string> = new Set([...Object.keys(INTEGER_BITS), 'decimal', 'double', 'year', 'date', 'datetime', 'timestamp']);

export interface RulesSource {
  /** Of the file, for the message. */
  readonly file: string;
  readonly text: string;
  readonly facts: ReadonlyMap<string, TableFacts>;
  /** The replicated tables: only they can have rules. */
  readonly tables: readonly string[];
}

/** Throws conflict-rules-invalid, naming every problem with its line. */
export function checkedRules({ file, text, facts, tables }: RulesSource): ConflictRules {
  const parsed = parseRules(text);
  const problems: Problem[] = [...parsed.problems];
  const rules = new Map<string, MergeRules>();
  for (const entry of parsed.tables) {
    const table = facts.get(entry.table);
    if (!tables.includes(entry.table) || table === undefined) {
      const why = tables.includes(entry.table) ? 'is not in this database' : 'is no replicated table';
      problems.push({ line: entry.line, where: entry.table, text: why });
      continue;
    }
    const found = new TableCheck(entry, table).run();
    problems.push(...found.problems);
    if (found.groups.length > 0) rules.set(entry.table, mergeRules(found.groups));
  }
  if (problems.length > 0) throw invalid(file, problems);
  return rules;
}

class TableCheck {
  readonly #entry: ParsedTable;
  readonly #facts: TableFacts;
  readonly #problems: Problem[] = [];
  /** Column to the group that has it. */
  readonly #owner = new Map<string, string>();

  constructor(entry: ParsedTable, facts: TableFacts) {
    this.#entry = entry;
    this.#facts = facts;
  }

  run(): { readonly groups: readonly Group[]; readonly problems: readonly Problem[] } {
    const { table, line, groups, uniqueKeys } = this.#entry;
    const checked = groups.map(({ group, where, line: at }) => this.#group(group, (text) => this.#problems.push({ line: at, where, text })));
    if (groups.length > 0 && !this.#facts.columns.has(MERGE_COLUMN)) {
      this.#problems.push({ line, where: table, text: `has groups, so it needs the column ${MERGE_COLUMN}: a migration with ALTER TABLE ${table} ADD COLUMN ${MERGE_COLUMN} JSON NULL INVISIBLE` });
    }
    for (const { key, where, line: at } of uniqueKeys) {
      if (!this.#facts.uniqueKeys.has(key)) this.#problems.push({ line: at, where, text: `${table} has no unique key of this name; it has ${[...this.#facts.uniqueKeys.keys()].join(', ') || 'none'}` });
    }
    if (groups.length > 0) for (const [key, columns] of this.#facts.uniqueKeys) this.#uniqueKey(key, columns);
    return { groups: checked, problems: this.#problems };
  }

  #group(group: Group, problem: (text: string) => void): Group {
    for (const column of columnsOf(group)) this.#column(group, column, problem);
    if (group.rule === 'lww') return group;
    const facts = this.#facts.columns.get(group.column);
    if (facts === undefined) return group;
    const unfit = unfitness(group.rule, facts);
    if (unfit !== null) problem(`${group.rule} cannot decide \`${group.column}\`: ${unfit}`);
    return group.rule === 'counter' ? { ...group, ...boundsOf(facts) } : group;
  }

  #column(group: Group, column: string, problem: (text: string) => void): void {
    const facts = this.#facts.columns.get(column);
    if (facts === undefined) problem(`${this.#entry.table} has no column \`${column}\``);
    else if (UNGROUPED_COLUMNS.has(column)) problem(`\`${column}\` cannot be in a group: it goes with the row's version`);
    else if (facts.isGenerated) problem(`\`${column}\` is generated from other columns: name those`);
    const owner = this.#owner.get(column);
    const named = groupNameOf(group);
    if (owner !== undefined) problem(owner === named ? `names \`${column}\` twice` : `\`${column}\` is in the group ${owner} already`);
    this.#owner.set(column, named);
  }

  /** Its columns must come from one group that keeps a writer's values together. */
  #uniqueKey(key: string, columns: readonly string[]): void {
    const { table, line } = this.#entry;
    const owners = [...new Set(columns.filter((column) => column !== 'id').map((column) => this.#owner.get(column) ?? REST_GROUP))];
    const computed = new Set(this.#entry.groups.flatMap(({ group }) => (group.rule === 'lww' || group.rule === 'state-machine' ? [] : [group.column])));
    const merged = columns.filter((column) => computed.has(column));
    if (owners.length > 1) this.#problems.push({ line, where: table, text: `the unique key ${key} has columns of the groups ${owners.join(' and ')}: a merge could make a value that nobody wrote` });
    else if (merged.length > 0) this.#problems.push({ line, where: table, text: `the unique key ${key} holds \`${merged.join('`, `')}\`, which a merge computes: two rows could meet that nobody wrote so` });
  }
}

function unfitness(rule: Exclude<Group['rule'], 'lww'>, { type, isUnsigned, isNullable }: ColumnFacts): string | null {
  if (rule === 'state-machine') return STATE_TYPES.has(type) ? null : `its type is ${type}, and states are CHAR, VARCHAR or ENUM`;
  if (rule !== 'counter') return ORDERED_TYPES.has(type) ? null : `its type is ${type}, which has no order that both regions are sure to share`;
  if (INTEGER_BITS[type] === undefined || (type === 'bigint' && isUnsigned)) return `its type is ${type}${isUnsigned ? ' unsigned' : ''}, and counters are whole numbers within 63 bits`;
  return isNullable ? 'it may be NULL, and a counter always has a value (NOT NULL DEFAULT 0)' : null;
}

function boundsOf({ type, isUnsigned }: ColumnFacts): { readonly lowest: bigint; readonly highest: bigint } {
  const bits = INTEGER_BITS[type] ?? 64n;
  return isUnsigned ? { lowest: 0n, highest: 2n ** bits - 1n } : { lowest: -(2n ** (bits - 1n)), highest: 2n ** (bits - 1n) - 1n };
}

/** As the file has it: max and min groups carry their column's name behind it. */
function groupNameOf({ name }: Group): string {
  return name.split('.')[0] ?? name;
}

function invalid(file: string, problems: readonly Problem[]): TandemError {
  const sorted = problems.toSorted((a, b) => a.line - b.line);
  const lines = sorted.map(({ line, where, text }) => `line ${line}: ${where === '' ? '' : `${where}: `}${text}`);
  return new TandemError('conflict-rules-invalid', `${file} has ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}:\n  ${lines.join('\n  ')}`, {
    details: { file, problems: lines },
  });
}
