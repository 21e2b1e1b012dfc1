/**
 * The conflict rules of the replicated tables, as values: which groups of columns a row is merged by.
 *
 * Invariant: every column of a merged table is in one group; those that no group names are in the group `rest`.
 * Deliberately absent: files, and what the rules do (cdc/resolve merges by them, ./triggers.ts keeps `_merge`).
 */

/** Columns that are decided together. `states` of a state machine: each rank holds the states that stand side by side. */
export type Group =
  | { readonly rule: 'lww'; readonly name: string; readonly columns: readonly string[] }
  | { readonly rule: 'state-machine'; readonly name: string; readonly column: string; readonly ranks: readonly (readonly string[])[]; readonly with: readonly string[] }
  | { readonly rule: 'max' | 'min'; readonly name: string; readonly columns: readonly string[] }
  | { readonly rule: 'counter'; readonly name: string; readonly columns: readonly string[] };

export interface MergeRules {
  /** Without the implicit group `rest`. */
  readonly groups: readonly Group[];
}
