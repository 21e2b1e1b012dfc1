/**
 * The edge to zongji: one binlog stream, from one start point, until it fails or is stopped.
 *
 * Invariants: events are handed over synchronously and in order; after the first error none follows and onError is called
 * once. A source is used once: reconnecting means a new one, because what was in flight on the old one is unknown.
 * pause() takes effect within what the socket has already delivered. Everything of zongji stays in here.
 */
import ZongJi from '@vlasky/zongji';
import { TandemError, isTandemError } from '../../shared/kernel/tandem-error.ts';
import { withDeadline } from '../../shared/kernel/deadline.ts';
import type { MysqlConfig } from '../../shared/mysql/database.ts';
import type { BinlogEvent, RowChange } from './binlog-event.ts';
import { imageOf, refusePartialRows } from './row-values.ts';
import type { DecodedColumn, DecodedRow } from './row-values.ts';

const START_DEADLINE_MS = 15_000;
const STOP_DEADLINE_MS = 2_000;
const INCLUDED = ['gtid', 'anonymousgtid', 'mariadbgtid', 'previousgtids', 'mariadbgtidlist', 'query', 'xid', 'tablemap', 'writerows', 'updaterows', 'deleterows', 'heartbeat', 'rotate', 'xaprepare'];

/** The oldest binlog file has to be named: only then does the server say what came before it. */
export type BinlogStart = { readonly kind: 'file'; readonly file: string } | { readonly kind: 'gtid'; readonly position: string };

export interface BinlogSource {
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export interface BinlogSourceOptions {
  readonly mysql: MysqlConfig;
  /** How this reader presents itself to the server: unique among its replicas. */
  readonly replicaId: number;
  readonly start: BinlogStart;
  readonly onEvent: (event: BinlogEvent) => void;
  /** Anything from the server, heartbeats and other databases' events included. */
  readonly onSign: () => void;
  readonly onError: (error: TandemError) => void;
}

/** Resolves once the stream was asked for. Throws db-unavailable, deadline-exceeded or what the first error says. */
export async function openBinlogSource(options: BinlogSourceOptions): Promise<BinlogSource> {
  const { host, port, user, password, database } = options.mysql;
  const zongji = new ZongJi({
    host, port, user, password, database,
    dateStrings: true, jsonStrings: true, timezone: 'Z', supportBigNumbers: true, bigNumberStrings: true, charset: 'utf8mb4',
  });
  const reader = new EventReader(zongji, options);
  const stop = (): Promise<void> => stopped(zongji, reader);
  const ready = new Promise<void>((resolve, reject) => {
    zongji.once('ready', resolve);
    zongji.on('error', (error) => {
      reject(translate(error));
      reader.fail(error);
    });
  });
  zongji.on('binlog', (event) => reader.accept(event as unknown as RawEvent));
  const { start } = options;
  zongji.start({
    serverId: options.replicaId,
    includeEvents: INCLUDED,
    includeSchema: { [database]: true },
    ...(start.kind === 'gtid' ? { gtidSet: start.position } : { filename: start.file, position: 4 }),
  });
  try {
    await withDeadline('binlog: the stream opens', START_DEADLINE_MS, () => ready);
  } catch (e) {
    await stop();
    throw e;
  }
  return { pause: () => zongji.connection?.pause(), resume: () => zongji.connection?.resume(), stop };
}

/** The parts of zongji's events that are read here; its own types leave them out or say `any`. */
interface RawEvent {
  getTypeName(): string;
  readonly timestamp: number;
  readonly nextPosition: number;
  readonly gtid?: string;
  readonly query?: string;
  readonly schema?: string;
  readonly standalone?: boolean;
  readonly tableId?: number;
  readonly numberOfColumns?: number;
  readonly tableMap?: Record<number, { tableName: string; columns: DecodedColumn[] } | undefined>;
  readonly columns_present_bitmap?: Uint8Array;
  readonly columns_present_bitmap2?: Uint8Array;
  readonly rows?: readonly (DecodedRow & { before?: DecodedRow; after?: DecodedRow })[];
  readonly serverId?: number;
}

class EventReader {
  readonly #zongji: ZongJi;
  readonly #options: BinlogSourceOptions;
  #failed = false;
  #serverId = 0;

  constructor(zongji: ZongJi, options: BinlogSourceOptions) {
    this.#zongji = zongji;
    this.#options = options;
  }

  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.onError(translate(error));
  }

  /** From here on nothing is handed over any more. */
  mute(): void {
    this.#failed = true;
  }

  accept(raw: RawEvent): void {
    if (this.#failed) return;
    try {
      this.#options.onSign();
      const event = this.#translate(raw);
      if (event !== undefined) this.#options.onEvent(event);
    } catch (e) {
      this.fail(e);
    }
  }

  #translate(raw: RawEvent): BinlogEvent | undefined {
    switch (raw.getTypeName()) {
      case 'Gtid':
      case 'MariadbGtid':
        this.#serverId = Number(raw.serverId ?? 0);
        return { kind: 'begin', gtid: raw.gtid ?? '', position: this.#position() };
      case 'AnonymousGtid':
        throw new TandemError('capture-unreadable', 'the binlog holds transactions without GTID (gtid_mode was not ON)');
      case 'XaPrepare':
        throw new TandemError('capture-unreadable', 'the binlog holds an XA transaction: its rows may still be rolled back');
      case 'Xid':
        return { kind: 'commit', position: this.#position() };
      case 'Query':
        return this.#query(raw);
      case 'WriteRows':
      case 'UpdateRows':
      case 'DeleteRows':
        return this.#rows(raw);
      default:
        return undefined;
    }
  }

  #query(raw: RawEvent): BinlogEvent | undefined {
    const sql = raw.query ?? '';
    const word = sql.trim().toUpperCase();
    if (word === 'BEGIN' || word.startsWith('SAVEPOINT') || word.startsWith('ROLLBACK TO')) return undefined;
    // Tables without transactions end theirs with COMMIT as text; a ROLLBACK there has written its rows all the same.
    if (word === 'COMMIT' || word === 'ROLLBACK') return { kind: 'commit', position: this.#position() };
    return { kind: 'statement', sql, schema: raw.schema ?? '' };
  }

  #rows(raw: RawEvent): BinlogEvent | undefined {
    const table = raw.tableMap?.[raw.tableId ?? -1];
    if (table === undefined) return undefined;
    const { tableName, columns } = table;
    refusePartialRows(tableName, raw.columns_present_bitmap ?? new Uint8Array(), columns.length);
    if (raw.columns_present_bitmap2 !== undefined) refusePartialRows(tableName, raw.columns_present_bitmap2, columns.length);
    const image = (row: DecodedRow) => imageOf(tableName, columns, row);
    const type = raw.getTypeName();
    const rows = (raw.rows ?? []).map((row): RowChange => {
      if (type === 'WriteRows') return { before: null, after: image(row) };
      if (type === 'DeleteRows') return { before: image(row), after: null };
      return { before: image(row.before ?? {}), after: image(row.after ?? {}) };
    });
    const { filename, position } = this.#zongji.options;
    return { kind: 'rows', table: tableName, rows, tsMs: raw.timestamp, serverId: this.#serverId, file: filename ?? '', pos: raw.nextPosition || (position ?? 0) };
  }

  #position(): string {
    const position = this.#zongji.gtidSet;
    if (position === undefined) throw new TandemError('capture-unreadable', 'the stream began inside a binlog file: its GTID position is unknown');
    return position;
  }
}

async function stopped(zongji: ZongJi, reader: EventReader): Promise<void> {
  reader.mute();
  const done = new Promise<void>((resolve) => zongji.once('stopped', resolve));
  zongji.stop();
  // The sockets are destroyed by then; the server notices a reader that it could not be told about.
  await withDeadline('binlog: the stream closes', STOP_DEADLINE_MS, () => done).catch(() => {});
}

/** ER_SOURCE_FATAL_ERROR_READING_BINLOG, and MariaDB's for a position ahead of or missing in its binlog. */
const POSITION_GONE = new Set([1236, 1945, 1955]);

function translate(error: unknown): TandemError {
  if (isTandemError(error)) return error;
  const { message, errno } = error as { message: string; errno?: number };
  if (errno !== undefined && POSITION_GONE.has(errno)) {
    return new TandemError('capture-position-gone', `the server no longer has the binlog to resume from: ${message}`, { cause: error });
  }
  if (/PARTIAL_JSON|compression|decode/i.test(message)) return new TandemError('capture-unreadable', message, { cause: error });
  return new TandemError('db-unavailable', `binlog stream: ${message}`, { cause: error });
}
