/**
 * A change: one row's new image on its way to the peer, and the Debezium-style envelope it travels in.
 *
 * Invariant: every value in an image has exactly one JSON form (see Value), so that an image read from a binlog, sent,
 * and written on the other side is the same row. A change knows its place: the transaction it was part of, its number in
 * there, and from where a reader of the binlog goes on after it.
 * Deliberately absent: JSON text (codec.ts) and anything about who wins (cdc/resolve).
 */
import type { Version } from '../../shared/clock/hlc.ts';

/**
 * What this version of Tandem writes. Readers take any number from 1 up and ignore fields they do not know.
 * 1: the first. 2: adds source.schema, tandem.base and op 'r'.
 */
export const ENVELOPE_VERSION = 2;

/**
 * One column's value on the wire. BIGINT, DECIMAL and temporal values are the exact text the server prints, JSON columns
 * are JSON text, smaller integers, FLOAT, DOUBLE and YEAR are numbers, BIT and binary strings are base64.
 */
export type Value = null | string | number | { readonly $b64: string };
export type Image = Readonly<Record<string, Value>>;

/** Insert, update, delete; 'r' is a row that a snapshot read: `after` alone, nothing said of what stood before. */
export type Operation = 'c' | 'u' | 'd' | 'r';

export interface ChangeSource {
  readonly region: string;
  readonly database: string;
  readonly serverId: number;
  readonly gtid: string;
  readonly file: string;
  readonly pos: number;
  /** Which row of its binlog event this was, from 0. */
  readonly row: number;
  /** Fingerprint of the table's columns as its region had them (schema-fingerprint.ts); absent: unknown. */
  readonly schema?: string | undefined;
}

/** What a reader has. While a change is being captured its images may still be text: Change<RowImage>. */
export interface Change<Row = Image> {
  readonly op: Operation;
  readonly table: string;
  /** Decimal text of the BIGINT primary key. */
  readonly id: string;
  readonly unit: number;
  /** The row's version after this change; of a delete, its tombstone's. */
  readonly version: Version;
  /** Of an update: the version of the row that was changed, the one of its before image. Null: unknown, or none. */
  readonly base?: Version | null | undefined;
  /** Full images. A delete may come without its before image (a row set aside before it ever stood here). */
  readonly before: Row | null;
  readonly after: Row | null;
  /** When the transaction was committed, by the database's clock, ms since 1970. */
  readonly tsMs: number;
  readonly source: ChangeSource;
  readonly transaction: {
    /** The GTID. */
    readonly id: string;
    /** Number of this change within the transaction, over all tables, from 0; replaying a binlog gives the same numbers. */
    readonly order: number;
    /** The same, counted in this table alone. */
    readonly tableOrder: number;
  };
  /** True for the last change of this transaction in this partition: what came since the previous `last` commits together. */
  readonly last: boolean;
  /**
   * The GTID position from which the binlog must be read on after this change: for the last change of a transaction the
   * position after it, for an earlier one the position before it, as the whole transaction has to be read again.
   */
  readonly position: string;
  /** Set where the images are elsewhere, and null here. Readers of a topic never see it: see cdc/transport/change-reader.ts. */
  readonly parts?: PartsOfChange | undefined;
}

/** Where the images of a large change are: in this many messages just before its own, which together are its encoding. */
export interface PartsOfChange { readonly sha256: string; readonly count: number; readonly bytes: number }

/** The partition of a unit's changes, so that one unit's rows stay in order. */
export function partitionOf(unit: number, partitions: number): number {
  return unit % partitions;
}

/** tandem.<region>.changes */
export function changeTopic(region: string): string {
  return `tandem.${region}.changes`;
}

/** What messages of one row share: topics are never compacted by it, but tools group by it. */
export function changeKey(change: Pick<Change, 'table' | 'id'>): string {
  return `${change.table}:${change.id}`;
}
