/**
 * Writes changes into the target inside one open transaction: reads or assumes what stands there, lets resolve decide, and
 * makes the statements of the outcome.
 *
 * Three ways, from the fastest to the one that always works:
 * - assumed, table by table: every row is taken to stand as its change's writer saw it. One UPDATE joins id and expected version,
 *   so it meets fewer rows where that is wrong; INSERT fails on a row that stands, and tombstones are looked at afterwards. Whatever
 *   does not fit is a WrongAssumption, after which the table's rows are read first for a while.
 * - bulk: rows are read and locked; only a row's last image is written, deletes before updates before inserts.
 * - literal: each change is read, decided and written as it comes, which is what a unique key that changes hands within a
 *   transaction needs, and what tells which change is at fault.
 *
 * Deliberately absent: begin, commit and the checkpoint (target-transaction.ts), and what to do about errors (partition-writer.ts).
 */
import { compareVersions } from '../../shared/clock/hlc.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { HEARTBEAT_TABLE } from '../../shared/schema/tables.ts';
import type { ConflictRules } from '../../shared/schema/conflict-rules.ts';
import type { Change, Image } from '../change/envelope.ts';
import { rulesOf } from '../resolve/table-rules.ts';
import { assumedPlan, tombstonesAmong } from './assumed-plan.ts';
import type { AssumedPlan } from './assumed-plan.ts';
import { ConflictNotes } from './conflict-notes.ts';
import type { Decided } from './conflict-notes.ts';
import { causeOf, collidingKey, columnNamed, isDataFault, isNullRefused } from './faults.ts';
import { heldLetter, poisonLetter } from './letters.ts';
import type { Delivery, Letter, PoisonPolicy } from './letters.ts';
import { loadStates } from './load-states.ts';
import type { TableChanges } from './load-states.ts';
import { tombstoneOf, writeOf } from './row-state.ts';
import type { RowState } from './row-state.ts';
import * as sql from './statements.ts';
import type { TableCatalog, TargetTable } from './table-catalog.ts';
import type { OpenTransaction } from './target-transaction.ts';

export type WriteMode = 'bulk' | 'literal';

export interface WriteReport {
  readonly applied: number;
  readonly duplicates: number;
  readonly stale: number;
  /** How many conflicts there were, by kind. */
  readonly conflicts: Readonly<Record<string, number>>;
  readonly letters: readonly Letter[];
}

export interface WriteResult {
  readonly report: WriteReport;
  /** What is still to be sent, before or with COMMIT. */
  readonly statements: readonly string[];
}

export interface WriteContext {
  readonly catalog: TableCatalog;
  readonly rules: ConflictRules;
  readonly mode: WriteMode;
  /** Units whose changes wait. */
  readonly parked: ReadonlySet<number>;
  /** Set for the try after which a change that fails is parked; null: it fails the batch. */
  readonly poison: { readonly policy: PoisonPolicy; readonly tries: number; /** A query that finds its letter where it was skipped. */ readonly skipped: (delivery: Delivery) => string } | null;
  /** May rows of this table be taken to stand as the writers saw them? */
  readonly mayAssume: (table: string) => boolean;
  /** True for a change that has been here, so that a conflict of it is on record already. */
  readonly isRepeated: (change: Change) => boolean;
}

/** A unique key of another row stands in the way of this change. */
export class UniqueCollision extends Error {
  readonly change: Change;
  readonly table: TargetTable;
  readonly key: string;
  /** The row as it was to stand: of a merged table, not always the change's own image. */
  readonly image: Image;

  constructor(change: Change, table: TargetTable, key: string, image: Image) {
    super(`${table.name} ${change.id} collides on ${key}`);
    this.change = change;
    this.table = table;
    this.key = key;
    this.image = image;
  }
}

/** This very change cannot be written, whatever else is. */
export class ChangeFault extends Error {
  readonly change: Change;

  constructor(change: Change, cause: unknown) {
    super(`${change.table} ${change.id}: ${causeOf(cause).cause}`, { cause });
    this.change = change;
  }
}

/** Rows did not stand as they were taken to: the batch is written again, and those tables are read first. */
export class WrongAssumption extends Error {
  readonly tables: readonly string[];

  constructor(tables: readonly string[]) {
    super(`rows of ${tables.join(', ')} stand otherwise than their writers saw them`);
    this.tables = tables;
  }
}

/** Throws UniqueCollision and ChangeFault in 'literal' mode, db-duplicate and WrongAssumption in 'bulk' mode, apply-schema-behind in both. */
export async function writeChanges(transaction: OpenTransaction, context: WriteContext, deliveries: readonly Delivery[]): Promise<WriteResult> {
  return context.mode === 'bulk' ? await writeBulk(transaction, context, deliveries) : await writeLiteral(transaction, context, deliveries);
}

async function writeBulk(transaction: OpenTransaction, context: WriteContext, deliveries: readonly Delivery[]): Promise<WriteResult> {
  const tally = new Tally();
  const changes: Change[] = [];
  for (const delivery of deliveries) {
    if (isHeld(delivery.change, context.parked)) tally.letters.push(heldLetter(delivery));
    else changes.push(delivery.change);
  }
  const tables = await tablesOf(transaction, context, changes);
  const plans: AssumedPlan[] = [];
  const read: TableChanges[] = [];
  for (const each of tables) {
    const plan = context.mayAssume(each.table.name) ? assumedPlan(each) : null;
    if (plan === null) read.push(each);
    else plans.push(plan);
  }
  const states = await sendFirst(transaction, plans, read);
  for (const { changes: its } of plans) tally.applied += its;
  const notes = new ConflictNotes();
  for (const { changes: its, table } of read) {
    for (const change of its) {
      const state = states.get(`${table.name}:${change.id}`) as RowState;
      tally.count(notes.decide(state, change, context.isRepeated));
    }
  }
  const conflicts = await notes.rows(transaction);
  const statements = [...flushBulk([...states.values()]), ...sql.noteConflicts(conflicts)];
  const fresh = [...states.values()].filter(isFresh);
  if (fresh.length === 0) return { report: tally.report(), statements };
  await sendFresh(transaction, statements, fresh);
  return { report: tally.report(), statements: [] };
}

/** What is assumed is written, and what is not is read, in one packet. */
async function sendFirst(transaction: OpenTransaction, plans: readonly AssumedPlan[], read: readonly TableChanges[]): Promise<Map<string, RowState>> {
  const updates = plans.flatMap((plan) => plan.updates);
  const others = plans.flatMap((plan) => plan.others);
  return await loadStates(transaction, read, [...updates.map((update) => update.sql), ...others], (results) => {
    const missed = updates.some(({ rows }, i) => results[i]?.affectedRows !== rows);
    if (missed || tombstonesAmong(results.slice(updates.length))) throw new WrongAssumption(plans.map(({ table }) => table.name));
  });
}

/**
 * Where no row stood there was nothing to lock: a local insert and delete may have come and gone since the look at the tombstones.
 * Once the insert has the row, no other can; so they are looked at again.
 */
async function sendFresh(transaction: OpenTransaction, statements: readonly string[], fresh: readonly RowState[]): Promise<void> {
  const looks = [...Map.groupBy(fresh, ({ table }) => table.name)].flatMap(([table, its]) => {
    const known = new Map(its.map((state) => [state.id, state.tombstone]));
    return sql.lockTombstones(table, its.map(({ id }) => id)).map((statement) => ({ table, known, statement }));
  });
  const results = await transaction.run([...statements, ...looks.map(({ statement }) => statement)]);
  const surprising = looks.filter(({ known }, i) => (results[statements.length + i]?.rows ?? []).some((row) => {
    const tombstone = known.get(String(row['id'])) ?? null;
    return tombstone === null || compareVersions(sql.versionOfRow(row), tombstone) > 0;
  }));
  if (surprising.length > 0) throw new WrongAssumption([...new Set(surprising.map(({ table }) => table))]);
}

async function writeLiteral(transaction: OpenTransaction, context: WriteContext, deliveries: readonly Delivery[]): Promise<WriteResult> {
  const tally = new Tally();
  const parked = new Set(context.parked);
  for (const delivery of deliveries) {
    const { change } = delivery;
    if (isHeld(change, parked)) {
      tally.letters.push(heldLetter(delivery));
      continue;
    }
    try {
      if (context.poison !== null) await transaction.run(['SAVEPOINT before_change']);
      await writeOne(transaction, context, change, tally);
    } catch (error) {
      if (!isDataFault(error) || transaction.connection.isLost) throw error;
      if (isNullRefused(error) || isBehind(context, change)) throw schemaBehind(change, error);
      if (context.poison === null) throw new ChangeFault(change, error);
      await transaction.run(['ROLLBACK TO SAVEPOINT before_change']);
      // Somebody gave it up for good, and now the topic is read again.
      if ((await transaction.run([context.poison.skipped(delivery)]))[0]?.rows.length !== 0) continue;
      tally.letters.push(poisonLetter(delivery, error, context.poison.tries, context.poison.policy));
      if (context.poison.policy === 'pause-unit') parked.add(change.unit);
    }
  }
  return { report: tally.report(), statements: [] };
}

async function writeOne(transaction: OpenTransaction, context: WriteContext, change: Change, tally: Tally): Promise<void> {
  const [its] = await tablesOf(transaction, context, [change]);
  if (its === undefined) return;
  const { table } = its;
  const [state] = [...(await loadStates(transaction, [its])).values()];
  if (state === undefined) return;
  const notes = new ConflictNotes();
  const decided = notes.decide(state, change, context.isRepeated);
  // Before the row changes under the conflict that wants to show it.
  const conflicts = sql.noteConflicts(await notes.rows(transaction));
  try {
    if (isFresh(state)) await sendFresh(transaction, flushOne(state), [state]);
    else if (state.isDirty) await transaction.run(flushOne(state));
  } catch (error) {
    const key = collidingKey(error);
    throw key === undefined || !state.image ? error : new UniqueCollision(change, table, key, state.image);
  }
  if (conflicts.length > 0) await transaction.run(conflicts);
  tally.count(decided);
}

/** By table in a fixed order. Changes of a table that was retired here are left out. */
async function tablesOf(transaction: OpenTransaction, { catalog, rules }: WriteContext, changes: readonly Change[]): Promise<TableChanges[]> {
  const tables: TableChanges[] = [];
  for (const [name, its] of Map.groupBy(changes, ({ table }) => table)) {
    let table: TargetTable | null = null;
    // Asked for each change: two changes of one table may carry different columns.
    for (const change of its) table = await catalog.tableOf(transaction.connection, change);
    if (table !== null) tables.push({ table, rules: rulesOf(rules, name), changes: its });
  }
  return tables.toSorted((a, b) => (a.table.name < b.table.name ? -1 : 1));
}

/** To be inserted. */
function isFresh({ isDirty, stands, image }: RowState): boolean {
  return isDirty && !stands && image !== null;
}

function flushOne(state: RowState): string[] {
  if (state.image === null) return [...(state.stands ? sql.deleteRows(state.table.name, [state.id]) : []), ...sql.putTombstones([tombstoneOf(state)])];
  return state.stands ? [sql.updateRow(writeOf(state)).sql] : sql.insertRows([writeOf(state)]);
}

/** Deletes free unique values, updates may; so inserts come last. */
function flushBulk(states: readonly RowState[]): string[] {
  const dirty = states.filter((state) => state.isDirty);
  const gone = Map.groupBy(dirty.filter((state) => state.image === null && state.stands), (state) => state.table.name);
  const standing = dirty.filter((state) => state.image !== null);
  return [
    ...[...gone].flatMap(([table, its]) => sql.deleteRows(table, its.map((state) => state.id))),
    ...sql.putTombstones(dirty.filter((state) => state.isTombstoneDirty).map(tombstoneOf)),
    ...sql.updateRows(standing.filter((state) => state.stands).map((state) => writeOf(state))).map((update) => update.sql),
    ...sql.insertRows(standing.filter((state) => !state.stands).map((state) => writeOf(state))),
  ];
}

function schemaBehind({ table }: Change, cause: unknown): TandemError {
  const column = columnNamed(cause);
  return new TandemError('apply-schema-behind', `${table}${column === null ? '' : `.${column}`} here differs from the peer's, and a change of the peer does not fit it: ${causeOf(cause).cause}`, {
    cause, details: { table, columns: column === null ? [] : [column] },
  });
}

/** A value that does not fit a table which is not the source's waits for the table: it is not the value's fault. */
function isBehind({ catalog }: WriteContext, { table, source }: Change): boolean {
  const fingerprint = catalog.peek(table)?.fingerprint;
  return source.schema !== undefined && fingerprint !== undefined && source.schema !== fingerprint;
}

/** Heartbeats say how far everything else has come; they wait for nothing. */
function isHeld({ table, unit }: Change, parked: ReadonlySet<number>): boolean {
  return parked.size > 0 && table !== HEARTBEAT_TABLE && parked.has(unit);
}

class Tally {
  readonly letters: Letter[] = [];
  applied = 0;
  #duplicates = 0;
  #stale = 0;
  readonly #conflicts: Record<string, number> = {};

  count({ kind, conflict, isWritten }: Decided): void {
    if (isWritten) this.applied += 1;
    if (kind === 'duplicate') this.#duplicates += 1;
    if (kind === 'stale') this.#stale += 1;
    if (conflict !== null) this.#conflicts[conflict] = (this.#conflicts[conflict] ?? 0) + 1;
  }

  report(): WriteReport {
    return { applied: this.applied, duplicates: this.#duplicates, stale: this.#stale, conflicts: this.#conflicts, letters: this.letters };
  }
}
