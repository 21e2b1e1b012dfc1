/**
 * The bytes of one binlog event after another → the events that capture knows (binlog-event.ts).
 *
 * Invariants: nothing that may hold rows of this database is passed over in silence: what cannot be read throws
 * (capture-unreadable). Checksums are verified. Rows are decoded when they are asked for, and only within the call that
 * hands their event over: rows that apply wrote, and those of tables that stay here, cost next to nothing.
 * Pure of I/O: connections are binlog-source.ts's affair.
 */
import { crc32 } from 'node:zlib';
import { assert } from '../../../shared/kernel/assert.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { columnsOf } from '../../change/encoded-image.ts';
import type { RowImage } from '../../change/encoded-image.ts';
import { schemaFingerprint } from '../../change/schema-fingerprint.ts';
import type { BinlogEvent, RowChange, RowsEvent } from '../binlog-event.ts';
import { ByteReader } from './byte-reader.ts';
import type { Charsets } from './charsets.ts';
import { columnTypeOf } from './column-type.ts';
import { CHECKSUM_BYTES, EVENT, HEADER_BYTES } from './event-types.ts';
import { readMariaGtidList, readMysqlGtid, readPreviousGtids, readTaggedGtid } from './gtid-events.ts';
import type { PositionTracker } from './position-tracker.ts';
import { RowDecoder } from './row-decoder.ts';
import type { RowsKind } from './row-decoder.ts';
import { RowText } from './row-text.ts';
import { readColumns, readTableNames } from './table-map.ts';

export interface EventReaderOptions {
  readonly engine: 'mysql' | 'mariadb';
  /** Rows of other databases are left alone. */
  readonly database: string;
  readonly charsets: Charsets;
  readonly position: PositionTracker;
  /** Whether events end with a checksum before the first format description says so. */
  readonly hasChecksums: boolean;
}

interface KnownTable {
  readonly name: string;
  /** The table map as it came: the same bytes mean the same table. Undefined: of another database. */
  readonly map: Buffer | undefined;
  columnsAt: number;
  decoder: RowDecoder | undefined;
  fingerprint: string | undefined;
}

const ROWS_KINDS = new Map<number, RowsKind>([
  [EVENT.writeRows, 'insert'], [EVENT.updateRows, 'update'], [EVENT.deleteRows, 'delete'],
  [EVENT.writeRowsV1, 'insert'], [EVENT.updateRowsV1, 'update'], [EVENT.deleteRowsV1, 'delete'],
]);

/** Rows that cannot be read, and why: passing over them would be a gap. */
const UNREADABLE = new Map<number, string>([
  [EVENT.anonymousGtid, 'transactions without GTID (gtid_mode was not ON)'],
  [EVENT.xaPrepare, 'an XA transaction: its rows may still be rolled back'],
  [EVENT.partialUpdateRows, 'partial JSON updates (binlog_row_value_options must be empty)'],
  [EVENT.transactionPayload, 'a compressed transaction (binlog_transaction_compression must be OFF)'],
  [EVENT.incident, 'an incident: the server says that it has lost events'],
  [EVENT.beginLoadQuery, 'LOAD DATA as a statement (binlog_format must be ROW)'],
  [EVENT.executeLoadQuery, 'LOAD DATA as a statement (binlog_format must be ROW)'],
  [EVENT.queryCompressed, 'compressed events (log_bin_compress must be OFF)'],
]);

const CRC32_ALGORITHM = 1;
/** Tables whose rows capture itself reads are given as objects: they begin like this. */
const INTERNAL = '_';

export class EventReader {
  readonly #options: EventReaderOptions;
  readonly #tables = new Map<number, KnownTable>();
  readonly #rowText = new RowText();
  #hasChecksums: boolean;
  #file = '';
  #pos = 0;
  #serverId = 0;
  /** The transaction that is being read; it counts as read when it is committed, or another one begins. */
  #pending: string | undefined;

  constructor(options: EventReaderOptions) {
    this.#options = options;
    this.#hasChecksums = options.hasChecksums;
  }

  /** Hands over at most one event. Throws capture-unreadable. */
  read(bytes: Buffer, start: number, end: number, onEvent: (event: BinlogEvent) => void): void {
    const type = bytes[start + 4] as number;
    if (type === EVENT.formatDescription) this.#hasChecksums = bytes[end - CHECKSUM_BYTES - 1] === CRC32_ALGORITHM;
    if (this.#hasChecksums) verifyChecksum(bytes, start, end, this.#file);
    const body = new ByteReader(bytes, start + HEADER_BYTES, end - (this.#hasChecksums ? CHECKSUM_BYTES : 0));
    const next = bytes.readUInt32LE(start + 13);
    const rows = ROWS_KINDS.get(type);
    if (rows !== undefined) {
      this.#rows(body, type, rows, { seconds: bytes.readUInt32LE(start), pos: next === 0 ? this.#pos : next }, onEvent);
      return;
    }
    const event = this.#other(type, body, bytes.readUInt32LE(start + 5));
    // MariaDB gives no positions inside of transactions; the one before them is as good a name.
    if (next > 0 && type !== EVENT.rotate) this.#pos = next;
    if (event !== undefined) onEvent(event);
  }

  #other(type: number, body: ByteReader, serverId: number): BinlogEvent | undefined {
    switch (type) {
      case EVENT.tableMap: return this.#tableMap(body);
      case EVENT.gtid: return this.#begin(readMysqlGtid(body), serverId);
      case EVENT.taggedGtid: return this.#begin(readTaggedGtid(body), serverId);
      case EVENT.mariaGtid: {
        const sequence = body.u64();
        return this.#begin(`${body.u32()}-${serverId}-${sequence}`, serverId);
      }
      case EVENT.xid: return this.#commit();
      case EVENT.query: return this.#query(body);
      case EVENT.rotate:
        this.#pos = Number(body.u64());
        this.#file = body.text(body.left);
        return undefined;
      case EVENT.previousGtids:
        this.#options.position.seed(readPreviousGtids(body));
        return undefined;
      case EVENT.mariaGtidList:
        this.#options.position.seed(readMariaGtidList(body));
        return undefined;
      default: {
        const why = type >= EVENT.rowsCompressedFirst && type <= EVENT.rowsCompressedLast ? UNREADABLE.get(EVENT.queryCompressed) : UNREADABLE.get(type);
        if (why !== undefined) throw new TandemError('capture-unreadable', `the binlog holds ${why}`, { details: { file: this.#file, pos: this.#pos } });
        return undefined;
      }
    }
  }

  #begin(gtid: string, serverId: number): BinlogEvent {
    this.#fold();
    this.#pending = gtid;
    this.#serverId = serverId;
    return { kind: 'begin', gtid, position: this.#position() };
  }

  #commit(): BinlogEvent {
    this.#fold();
    return { kind: 'commit', position: this.#position() };
  }

  #fold(): void {
    if (this.#pending !== undefined) this.#options.position.add(this.#pending);
    this.#pending = undefined;
  }

  #position(): string {
    const { text } = this.#options.position;
    if (text === undefined) throw new TandemError('capture-unreadable', 'the stream began inside a binlog file: its GTID position is unknown');
    return text;
  }

  #query(body: ByteReader): BinlogEvent | undefined {
    body.skip(8);
    const schemaBytes = body.u8();
    body.skip(2);
    body.skip(body.u16());
    const schema = body.text(schemaBytes);
    body.skip(1);
    const sql = body.text(body.left);
    const word = sql.trim().toUpperCase();
    if (word === 'BEGIN' || word.startsWith('SAVEPOINT') || word.startsWith('ROLLBACK TO')) return undefined;
    // Tables without transactions end theirs with COMMIT as text; a ROLLBACK there has written its rows all the same.
    return word === 'COMMIT' || word === 'ROLLBACK' ? this.#commit() : { kind: 'statement', sql, schema };
  }

  #tableMap(body: ByteReader): undefined {
    const { at } = body;
    const { tableId, schema, table } = readTableNames(body);
    if (schema !== this.#options.database) {
      this.#tables.set(tableId, { name: table, map: undefined, columnsAt: 0, decoder: undefined, fingerprint: undefined });
      return;
    }
    const known = this.#tables.get(tableId)?.map;
    if (known !== undefined && known.compare(body.bytes, at, body.end) === 0) return;
    const map = Buffer.from(body.bytes.subarray(at, body.end));
    this.#tables.set(tableId, { name: table, map, columnsAt: body.at - at, decoder: undefined, fingerprint: undefined });
  }

  #rows(body: ByteReader, type: number, kind: RowsKind, { seconds, pos }: { seconds: number; pos: number }, onEvent: (event: BinlogEvent) => void): void {
    const tableId = body.u48();
    const table = this.#tables.get(tableId);
    if (table === undefined) throw new TandemError('capture-unreadable', `rows at ${this.#file}:${pos} came without their table map`);
    if (table.map === undefined) return;
    body.skip(2);
    // Version 2 of rows events has room for extra data, its length included in itself.
    if (type >= EVENT.writeRows) body.skip(body.u16() - 2);
    let decode: (() => readonly RowChange[]) | undefined = () => this.#decode(table, body, kind);
    let rows: readonly RowChange[] | undefined;
    const fingerprint = (): string => this.#knownColumns(table).fingerprint;
    const event: RowsEvent = {
      kind: 'rows', table: table.name, tsMs: seconds * 1000, serverId: this.#serverId, file: this.#file, pos,
      get schema(): string {
        return fingerprint();
      },
      get rows(): readonly RowChange[] {
        assert(rows !== undefined || decode !== undefined, 'the rows of an event are read while it is handed over, or never');
        return (rows ??= decode?.() ?? []);
      },
    };
    onEvent(event);
    decode = undefined;
  }

  #decode(table: KnownTable, body: ByteReader, kind: RowsKind): readonly RowChange[] {
    const changes = this.#knownColumns(table).decoder.decode(body, kind, this.#rowText);
    if (!table.name.startsWith(INTERNAL)) return changes;
    return changes.map(({ before, after }) => ({ before: plain(before), after: plain(after) }));
  }

  #knownColumns(table: KnownTable): { readonly decoder: RowDecoder; readonly fingerprint: string } {
    const { engine, charsets } = this.#options;
    let { decoder, fingerprint } = table;
    if (decoder === undefined || fingerprint === undefined) {
      const columns = readColumns(new ByteReader(table.map as Buffer, table.columnsAt), table.name, engine === 'mariadb');
      table.decoder = decoder = new RowDecoder(table.name, columns, charsets);
      table.fingerprint = fingerprint = schemaFingerprint(columns.map((column) => ({ name: column.name, type: columnTypeOf(column, charsets) })));
    }
    return { decoder, fingerprint };
  }
}

function plain(image: RowImage | null): RowImage | null {
  return image === null ? null : columnsOf(image);
}

function verifyChecksum(bytes: Buffer, start: number, end: number, file: string): void {
  const told = bytes.readUInt32LE(end - CHECKSUM_BYTES);
  if (crc32(bytes.subarray(start, end - CHECKSUM_BYTES)) === told) return;
  throw new TandemError('capture-unreadable', `an event of ${file} does not match its checksum: the binlog, or the way here, is damaged`, { details: { file } });
}
