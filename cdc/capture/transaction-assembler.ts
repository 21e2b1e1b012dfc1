/**
 * Turns binlog events into changes, each with its partition and its place in the transaction.
 *
 * Invariants: nothing of a transaction that begins with _checkpoints comes out (apply wrote it: the loop marker). Within a
 * partition exactly the last change of a transaction is marked `last`. Replaying the same events gives the same changes.
 * It holds one change per partition and the tombstones whose delete has not come by yet, never a whole transaction: a
 * transaction of any size passes. Pure: no I/O, no clock.
 */
import { compareVersions } from '../../shared/clock/hlc.ts';
import type { Hlc, Version } from '../../shared/clock/hlc.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { CHECKPOINT_TABLE, HEARTBEAT_TABLE, TOMBSTONE_TABLE } from '../../shared/schema/tables.ts';
import { columnsOf } from '../change/encoded-image.ts';
import type { RowImage } from '../change/encoded-image.ts';
import { partitionOf } from '../change/envelope.ts';
import type { Change, Operation } from '../change/envelope.ts';
import { idOf, unitOf, versionOf } from '../change/image.ts';
import type { BeginEvent, BinlogEvent, RowChange, RowsEvent } from './binlog-event.ts';

export interface RoutedChange { readonly partition: number; readonly change: Change<RowImage> }

export interface AssemblerOptions {
  readonly region: string;
  readonly origin: number;
  readonly database: string;
  readonly partitions: number;
  /** Tables whose rows travel, without _heartbeats (which always does). */
  readonly tables: ReadonlySet<string>;
  /** Things an operator should know that do not stop the stream. */
  readonly onOddity: (oddity: Oddity) => void;
}

export interface Oddity {
  /**
   * unstamped: a row without a version, or changed without a new one, which the peer will drop; no-tombstone: a delete that
   * no trigger saw; truncated: rows gone without a trace.
   */
  readonly kind: 'unstamped' | 'no-tombstone' | 'truncated';
  readonly table: string;
  readonly detail: string;
}

interface Tombstone { readonly table: string; readonly id: string; readonly unit: number; readonly version: Version }

/** One row's change before it knows its partition mates. */
interface Draft {
  readonly op: Operation;
  readonly table: string;
  readonly id: string;
  readonly unit: number;
  readonly version: Version;
  readonly before: RowImage | null;
  readonly after: RowImage | null;
}

interface OpenTransaction {
  readonly begin: BeginEvent;
  /** Unknown until the first row event says whose transaction this is. */
  loopMarked: boolean | undefined;
  order: number;
  readonly orderByTable: Map<string, number>;
  readonly tombstones: Map<string, Tombstone>;
  /** The change of each partition that waits to learn whether it is the last one. */
  readonly held: Map<number, Change<RowImage>>;
  lastRows: RowsEvent | undefined;
}

const DML = /^\s*(?:\/\*.*?\*\/\s*)*(?:insert|update|delete|replace|load)\b/is;
const TRUNCATE = /^\s*truncate\s+(?:table\s+)?(?:`?\w+`?\s*\.\s*)?`?(?<table>\w+)`?/i;

export class TransactionAssembler {
  readonly #options: AssemblerOptions;
  #open: OpenTransaction | undefined;
  #out: RoutedChange[] = [];

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  /** The changes that are ready after this event, in order. Throws capture-unreadable where changes would be lost. */
  accept(event: BinlogEvent): readonly RoutedChange[] {
    this.#out = [];
    if (event.kind === 'begin') this.#open = openTransaction(event);
    else if (event.kind === 'rows') this.#rows(event);
    else if (event.kind === 'commit') this.#commit(event.position);
    else this.#statement(event);
    return this.#out;
  }

  #rows(event: RowsEvent): void {
    const open = this.#open;
    if (open === undefined) {
      throw new TandemError('capture-unreadable', `rows of ${event.table} at ${event.file}:${event.pos} belong to no transaction`);
    }
    open.loopMarked ??= event.table === CHECKPOINT_TABLE;
    if (open.loopMarked) return;
    open.lastRows = event;
    const travels = event.table === HEARTBEAT_TABLE || this.#options.tables.has(event.table);
    if (!travels && event.table !== TOMBSTONE_TABLE) return;
    for (const [row, images] of event.rows.entries()) {
      if (event.table === TOMBSTONE_TABLE) noteTombstone(open, images);
      else this.#row(open, event, images, row);
    }
  }

  #row(open: OpenTransaction, event: RowsEvent, { before, after }: RowChange, row: number): void {
    const { table } = event;
    const beforeId = before === null ? null : idOf(table, before);
    const afterId = after === null ? null : idOf(table, after);
    if (before !== null && beforeId !== null && beforeId !== afterId) {
      this.#take(open, event, row, this.#deletion(open, table, beforeId, before));
    }
    if (after === null || afterId === null) return;
    const version = versionOf(table, after);
    const isUpdate = beforeId === afterId;
    const isStamped = version.hlc !== 0n && !(isUpdate && before !== null && versionOf(table, before).hlc === version.hlc);
    if (!isStamped) this.#options.onOddity({ kind: 'unstamped', table, detail: `row ${afterId}` });
    this.#take(open, event, row, {
      op: isUpdate ? 'u' : 'c', table, id: afterId, unit: unitOf(table, after), version, before: isUpdate ? before : null, after,
    });
  }

  /** A delete's version is in the tombstone that its trigger wrote just before it. */
  #deletion(open: OpenTransaction, table: string, id: string, before: RowImage): Draft {
    const tombstone = open.tombstones.get(`${table}:${id}`);
    open.tombstones.delete(`${table}:${id}`);
    if (tombstone === undefined) this.#options.onOddity({ kind: 'no-tombstone', table, detail: `row ${id}` });
    const version = tombstone?.version ?? { hlc: (versionOf(table, before).hlc + 1n) as Hlc, origin: this.#options.origin };
    return { op: 'd', table, id, unit: unitOf(table, before), version, before, after: null };
  }

  /** Heartbeats go to every partition, as each of them needs to know how far it has come. */
  #take(open: OpenTransaction, event: RowsEvent, row: number, draft: Draft): void {
    const { partitions } = this.#options;
    if (draft.table !== HEARTBEAT_TABLE) {
      this.#hold(open, event, row, draft, partitionOf(draft.unit, partitions));
      return;
    }
    for (let partition = 0; partition < partitions; partition += 1) this.#hold(open, event, row, draft, partition);
  }

  #hold(open: OpenTransaction, event: RowsEvent, row: number, draft: Draft, partition: number): void {
    const held = open.held.get(partition);
    if (held !== undefined && isReplace(held, draft)) {
      open.held.set(partition, { ...held, ...draft, op: 'u', before: held.before });
      return;
    }
    if (held !== undefined) this.#out.push({ partition, change: held });
    const tableOrder = open.orderByTable.get(draft.table) ?? 0;
    open.orderByTable.set(draft.table, tableOrder + 1);
    const { region, database } = this.#options;
    open.held.set(partition, {
      ...draft,
      tsMs: event.tsMs,
      source: { region, database, serverId: event.serverId, gtid: open.begin.gtid, file: event.file, pos: event.pos, row, schema: event.schema },
      transaction: { id: open.begin.gtid, order: open.order, tableOrder },
      last: false,
      position: open.begin.position,
    });
    open.order += 1;
  }

  #commit(position: string): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined || open.loopMarked !== false || open.lastRows === undefined) return;
    // A tombstone without its row: apply set aside a row that never stood here. The peer must lose it all the same.
    for (const { table, id, unit, version } of open.tombstones.values()) {
      if (!this.#options.tables.has(table)) continue;
      this.#take(open, open.lastRows, 0, { op: 'd', table, id, unit, version, before: null, after: null });
    }
    for (const [partition, change] of open.held) this.#out.push({ partition, change: { ...change, last: true, position } });
  }

  #statement(event: { readonly sql: string; readonly schema: string }): void {
    if (event.schema !== this.#options.database) return;
    if (DML.test(event.sql)) {
      throw new TandemError('capture-unreadable', `the binlog holds a statement instead of its rows: ${event.sql.slice(0, 120)}`, {
        details: { setting: 'binlog_format', expected: 'ROW' },
      });
    }
    const table = TRUNCATE.exec(event.sql)?.groups?.['table'];
    if (table !== undefined && this.#options.tables.has(table)) {
      this.#options.onOddity({ kind: 'truncated', table, detail: event.sql.slice(0, 120) });
    }
  }
}

function openTransaction(begin: BeginEvent): OpenTransaction {
  return { begin, loopMarked: undefined, order: 0, orderByTable: new Map(), tombstones: new Map(), held: new Map(), lastRows: undefined };
}

function noteTombstone(open: OpenTransaction, { after }: RowChange): void {
  if (after === null) return;
  const { table_name: tableName, row_id: rowId } = columnsOf(after);
  const [table, id] = [String(tableName), String(rowId)];
  open.tombstones.set(`${table}:${id}`, { table, id, unit: unitOf(TOMBSTONE_TABLE, after), version: versionOf(TOMBSTONE_TABLE, after) });
}

/**
 * REPLACE deletes a row and inserts it anew, but its insert was stamped first: below its own tombstone, where the peer
 * would drop it. Side by side the two are what the writer meant, an update.
 */
function isReplace(held: Change<RowImage>, draft: Draft): boolean {
  return (
    held.op === 'd' && draft.op === 'c' && held.table === draft.table && held.id === draft.id &&
    compareVersions(draft.version, held.version) <= 0
  );
}
