/**
 * What resolve has to know of a table: whether its rows are decided whole, or merged group by group.
 *
 * Deliberately absent: where rules come from (shared/schema/conflict-rules.ts parses and checks the file).
 */
import type { MergeRules } from '../../shared/schema/conflict-rules.ts';

export interface TableRules {
  readonly table: string;
  /** null: a plain table, the last writer of the whole row wins. */
  readonly merge: MergeRules | null;
}

/** The rules of a table that the file does not name. */
export function plainRules(table: string): TableRules {
  return { table, merge: null };
}

/** The rules of `table` in what the file says; a table it does not name is plain. */
export function rulesOf(rules: ReadonlyMap<string, MergeRules>, table: string): TableRules {
  return { table, merge: rules.get(table) ?? null };
}
