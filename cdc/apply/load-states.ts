/**
 * What stands in the database of the rows that a batch changes, read and locked.
 *
 * Invariant: rows are locked in the order of tables and ids, and before their tombstones. One packet reads all of it, a second one
 * the tombstones of rows that were expected to stand and do not, a third the rows that have to be seen whole to be merged.
 */
import type { StatementResult } from '../../shared/mysql/raw-connection.ts';
import type { Change } from '../change/envelope.ts';
import { needsImage } from '../resolve/resolve.ts';
import type { TableRules } from '../resolve/table-rules.ts';
import { imagesOf } from './conflict-notes.ts';
import { localOf, rowState } from './row-state.ts';
import type { RowState, Standing } from './row-state.ts';
import { lockRows, lockTombstones, versionOfRow } from './statements.ts';
import type { TargetTable } from './table-catalog.ts';
import type { OpenTransaction } from './target-transaction.ts';

/** A batch's changes of one table, in their order. */
export interface TableChanges { readonly table: TargetTable; readonly rules: TableRules; readonly changes: readonly Change[] }

interface Wanted { readonly table: string; readonly what: 'row' | 'tombstone'; readonly statement: string }

/** @param first statements to send in front, in the same packet; @param check looks at what they said, before anything else is sent */
export async function loadStates(
  transaction: OpenTransaction, tables: readonly TableChanges[], first: readonly string[] = [], check: (results: readonly StatementResult[]) => void = () => {},
): Promise<Map<string, RowState>> {
  const wanted = tables.flatMap(wantedOf);
  const results = await transaction.run([...first, ...wanted.map(({ statement }) => statement)]);
  check(results.slice(0, first.length));
  const rows = new Map<string, Standing>();
  const tombstones = new Map<string, Standing>();
  keep(wanted, results.slice(first.length), rows, tombstones);

  const later = tables.flatMap(({ table, changes }) => {
    const gone = idsOf(changes, ({ op, id }) => op === 'u' && !rows.has(`${table.name}:${id}`)).filter((id) => !tombstones.has(`${table.name}:${id}`));
    return gone.length === 0 ? [] : lockTombstones(table.name, gone).map((statement) => ({ table: table.name, what: 'tombstone', statement }) as const);
  });
  keep(later, await transaction.run(later.map(({ statement }) => statement)), rows, tombstones);

  const states = new Map<string, RowState>();
  const unseen: RowState[] = [];
  for (const { table, rules, changes } of tables) {
    for (const change of changes) {
      const key = `${table.name}:${change.id}`;
      const known = states.get(key);
      const row = rows.get(key);
      const state = known ?? rowState(table, rules, change, { version: row?.version ?? null, merge: row?.merge ?? null, tombstone: tombstones.get(key)?.tombstone ?? null });
      states.set(key, state);
      if (state.seen === undefined && rules.merge !== null && (known !== undefined || needsImage(rules, change, localOf(state)))) unseen.push(state);
    }
  }
  const images = await imagesOf(transaction, unseen.filter(({ stands }) => stands));
  for (const state of unseen) state.seen = images.get(`${state.table.name}:${state.id}`) ?? null;
  return states;
}

function wantedOf({ table, rules, changes }: TableChanges): Wanted[] {
  const locks = lockRows(table.name, idsOf(changes, () => true), rules.merge !== null).map((statement) => ({ table: table.name, what: 'row', statement }) as const);
  // An update mostly meets its row; of any other the row is expected to be gone, or will be.
  const perhapsGone = idsOf(changes, ({ op }) => op !== 'u');
  const graves = perhapsGone.length === 0 ? [] : lockTombstones(table.name, perhapsGone).map((statement) => ({ table: table.name, what: 'tombstone', statement }) as const);
  return [...locks, ...graves];
}

function keep(wanted: readonly Wanted[], results: readonly StatementResult[], rows: Map<string, Standing>, tombstones: Map<string, Standing>): void {
  for (const [i, { table, what }] of wanted.entries()) {
    for (const row of results[i]?.rows ?? []) {
      const key = `${table}:${String(row['id'])}`;
      const version = versionOfRow(row);
      if (what === 'tombstone') tombstones.set(key, { version: null, tombstone: version, merge: null });
      else rows.set(key, { version, tombstone: null, merge: typeof row['merge'] === 'string' ? row['merge'] : null });
    }
  }
}

function idsOf(changes: readonly Change[], isMeant: (change: Change) => boolean): string[] {
  return [...new Set(changes.filter(isMeant).map(({ id }) => id))];
}
