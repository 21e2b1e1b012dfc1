/**
 * What the assembler needs of a binlog: seven kinds of events, free of any client's types.
 *
 * Invariant: rows are full images in wire form (cdc/change Value), columns by name; a source that cannot give them fails
 * instead. Events come in binlog order, a transaction's between its begin and its commit.
 */
import type { RowImage } from '../change/encoded-image.ts';

export interface BeginEvent {
  readonly kind: 'begin';
  readonly gtid: string;
  /** GTID position before this transaction. */
  readonly position: string;
}

/** before: null for inserts; after: null for deletes. */
export interface RowChange { readonly before: RowImage | null; readonly after: RowImage | null }

export interface RowsEvent {
  readonly kind: 'rows';
  readonly table: string;
  /** Decoded when first asked for, which must be while the event is being handed over. */
  readonly rows: readonly RowChange[];
  /** Fingerprint of the table's columns at that time. */
  readonly schema?: string | undefined;
  readonly tsMs: number;
  readonly serverId: number;
  readonly file: string;
  readonly pos: number;
}

export interface CommitEvent {
  readonly kind: 'commit';
  /** GTID position after this transaction. */
  readonly position: string;
}

/** A statement that stands in the binlog as text: DDL, or worse. */
export interface StatementEvent { readonly kind: 'statement'; readonly sql: string; readonly schema: string }

export type BinlogEvent = BeginEvent | RowsEvent | CommitEvent | StatementEvent;
