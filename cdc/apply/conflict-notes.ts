/**
 * The conflicts of a batch, until they are written down with both images.
 *
 * Invariants: rows() is asked before anything is written to the rows that are met, so what the database shows is what the change
 * met. A change that has been here before (a replayed topic, a reset) leaves no second record: what has been written on top of
 * it since did see it.
 */
import type { RawRow } from '../../shared/mysql/raw-connection.ts';
import type { Change, Image } from '../change/envelope.ts';
import { conflictRow } from '../resolve/conflict-row.ts';
import type { ConflictParts, ConflictRow } from '../resolve/conflict-row.ts';
import type { ConflictKind } from '../resolve/decide.ts';
import type { Resolution } from '../resolve/resolve.ts';
import { decideIn } from './row-state.ts';
import type { RowState } from './row-state.ts';
import { imageOfRow } from './sql-values.ts';
import { readImages } from './statements.ts';
import type { TargetTable } from './table-catalog.ts';
import type { OpenTransaction } from './target-transaction.ts';

export interface Decided {
  readonly kind: Resolution['kind'];
  readonly conflict: ConflictKind | null;
  readonly isWritten: boolean;
}

/** localImage undefined: the database has it. */
interface Met { readonly table: TargetTable; readonly parts: ConflictParts; readonly localImage: Image | null | undefined }

export class ConflictNotes {
  readonly #met: Met[] = [];

  /** Decides, changes the state accordingly, and notes a conflict. */
  decide(state: RowState, change: Change, isRepeated: (change: Change) => boolean): Decided {
    const here = state.image !== undefined ? state.image : state.stands ? (state.seen ?? undefined) : null;
    const resolution = decideIn(state, change);
    if (resolution.kind !== 'conflict') return { kind: resolution.kind, conflict: null, isWritten: resolution.kind === 'apply' };
    const isWritten = resolution.image !== undefined;
    if (isRepeated(change)) return { kind: isWritten ? 'apply' : 'stale', conflict: null, isWritten };
    const { conflict, rule, outcome, local, remote } = resolution;
    this.#met.push({
      table: state.table, localImage: here,
      parts: { table: change.table, rowId: change.id, unit: change.unit, kind: conflict, rule, outcome, local, remote, localImage: null, remoteImage: change.after ?? change.before },
    });
    return { kind: 'conflict', conflict, isWritten };
  }

  /** All of them, with their images; reads those that are still in the database. */
  async rows(transaction: OpenTransaction): Promise<ConflictRow[]> {
    const unread = this.#met.filter(({ localImage }) => localImage === undefined);
    const images = await imagesOf(transaction, unread.map(({ table, parts }) => ({ table, id: parts.rowId })));
    return this.#met.map(({ parts, localImage }) =>
      conflictRow({ ...parts, localImage: localImage === undefined ? (images.get(`${parts.table}:${parts.rowId}`) ?? null) : localImage }));
  }
}

/** Whole rows by `table:id`; those that do not stand are missing. One packet. */
export async function imagesOf(transaction: OpenTransaction, rows: readonly { readonly table: TargetTable; readonly id: string }[]): Promise<Map<string, Image>> {
  const images = new Map<string, Image>();
  if (rows.length === 0) return images;
  const wanted = [...Map.groupBy(rows, ({ table }) => table)].flatMap(([table, its]) =>
    readImages(table, [...new Set(its.map(({ id }) => id))]).map((statement) => ({ table, statement })));
  const results = await transaction.run(wanted.map(({ statement }) => statement));
  for (const [i, { table }] of wanted.entries()) {
    for (const row of results[i]?.rows ?? []) images.set(`${table.name}:${String(row['id'])}`, imageOfRow(row as RawRow, table.floats));
  }
  return images;
}
