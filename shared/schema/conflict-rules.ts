/**
 * The conflict rules of the replicated tables, as values: by which groups of columns the rows of a table are merged.
 *
 * Invariant: every column of a merged table is decided in exactly one group; those that the file names in none are in `rest`.
 * Deliberately absent: the file (conflict-rules-parse.ts), the database it has to fit (conflict-rules-check.ts), and what the
 * rules do: cdc/resolve merges by them, merge-trigger.ts keeps what a merge has to know.
 */

/** Holds, for each row of a merged table, when each of its groups was last written: see docs/conflict-rules.md. */
export const MERGE_COLUMN = '_merge';
/** The group of the columns that no group names. */
export const REST_GROUP = 'rest';
/** In no group: they name the row, its version, and what goes with the version. */
export const UNGROUPED_COLUMNS: ReadonlySet<string> = new Set(['id', '_hlc', '_origin', MERGE_COLUMN, 'updated_at']);

/** Columns that are decided together; `name` is the group's in the file. The higher version wins. */
export interface LwwGroup { readonly rule: 'lww'; readonly name: string; readonly columns: readonly string[] }

/** The further state wins, with all columns of the group; states of one rank stand side by side, there the higher version wins. */
export interface StateGroup {
  readonly rule: 'state-machine';
  readonly name: string;
  readonly column: string;
  /** The states in their order, each with those beside it. A state that is not listed is below all that are. */
  readonly ranks: readonly (readonly string[])[];
  /** `column`, and those that go with it. */
  readonly columns: readonly string[];
}

/** The higher (lower) value wins; NULL is no value yet and loses to any. One column each, named `<group>.<column>`. */
export interface ExtremeGroup { readonly rule: 'max' | 'min'; readonly name: string; readonly column: string }

/** What each region has added is kept apart and summed, within the bounds of the column's type. */
export interface CounterGroup { readonly rule: 'counter'; readonly name: string; readonly column: string; readonly lowest: bigint; readonly highest: bigint }

export type Group = LwwGroup | StateGroup | ExtremeGroup | CounterGroup;
export type RuleName = Group['rule'];
export const RULE_NAMES = ['lww', 'state-machine', 'max', 'min', 'counter'] as const satisfies readonly RuleName[];

export interface MergeRules {
  readonly groups: readonly Group[];
  /** All columns that a group names; the others are the group `rest`. */
  readonly named: ReadonlySet<string>;
}

/** By table. A table that is not here is plain: the last writer of the whole row wins. */
export type ConflictRules = ReadonlyMap<string, MergeRules>;

export const NO_RULES: ConflictRules = new Map();

export function columnsOf(group: Group): readonly string[] {
  return group.rule === 'lww' || group.rule === 'state-machine' ? group.columns : [group.column];
}

export function mergeRules(groups: readonly Group[]): MergeRules {
  return { groups, named: new Set(groups.flatMap(columnsOf)) };
}

/** How far a state is; -1 for one that is not listed, and for NULL. */
export function rankOf(group: StateGroup, state: unknown): number {
  return group.ranks.findIndex((states) => states.includes(state as string));
}
