/**
 * The statements of a table's changes where each row is taken to stand as its writer saw it: no row is read before it is written.
 *
 * Invariant: what is assumed is checked by what the statements say. An update meets its row only at the version that it was made
 * on, and one row each; an insert fails on a row that stands; a tombstone of an inserted row is an answer of its own. So where all
 * is as assumed, each change would have been decided 'apply' after reading as well.
 * Only for plain tables: of a merged row its version does not tell all. Deletes are read: they meet tombstones of their own.
 */
import type { StatementResult } from '../../shared/mysql/raw-connection.ts';
import { baseVersionOf } from '../change/image.ts';
import type { TableChanges } from './load-states.ts';
import { decideIn, rowState, writeOf } from './row-state.ts';
import type { RowState } from './row-state.ts';
import { insertRows, lockTombstones, updateRows } from './statements.ts';
import type { RowWrite, UpdateStatement } from './statements.ts';
import type { TargetTable } from './table-catalog.ts';

export interface AssumedPlan {
  readonly table: TargetTable;
  readonly changes: number;
  readonly updates: readonly UpdateStatement[];
  /** Inserts, then the look at tombstones. */
  readonly others: readonly string[];
}

/** Null where a change does not tell what its writer saw, or would not simply be applied to that. */
export function assumedPlan({ table, rules, changes }: TableChanges): AssumedPlan | null {
  if (rules.merge !== null) return null;
  const states = new Map<string, RowState>();
  const updated: RowWrite[] = [];
  const bases = new Map<RowState, ReturnType<typeof baseVersionOf>>();
  for (const change of changes) {
    if (change.op !== 'c' && change.op !== 'u') return null;
    let state = states.get(change.id);
    if (state === undefined) {
      const version = change.op === 'u' ? baseVersionOf(change) : null;
      if (change.op === 'u' && version === null) return null;
      state = rowState(table, rules, change, { version, tombstone: null, merge: null });
      states.set(change.id, state);
      bases.set(state, version);
    }
    if (decideIn(state, change).kind !== 'apply') return null;
  }
  const inserted: RowWrite[] = [];
  for (const state of states.values()) {
    if (state.stands) updated.push(writeOf(state, bases.get(state) ?? null));
    else inserted.push(writeOf(state));
  }
  const graves = inserted.length === 0 ? [] : lockTombstones(table.name, inserted.map(({ id }) => id));
  return { table, changes: changes.length, updates: updateRows(updated), others: [...insertRows(inserted), ...graves] };
}

/** Did one of these answers show a tombstone? Inserts show no rows. */
export function tombstonesAmong(results: readonly StatementResult[]): boolean {
  return results.some(({ rows }) => rows.length > 0);
}
