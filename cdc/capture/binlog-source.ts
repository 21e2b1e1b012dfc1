/**
 * One binlog stream, from one start point, until it fails or is stopped: a connection (shared/mysql) that asks for the dump
 * as each server wants it, and a reader of its events (binlog/).
 *
 * Invariants: events are handed over synchronously and in order; after the first error none follows and onError is called
 * once. A source is used once: reconnecting means a new one, because what was in flight on the old one is unknown.
 * pause() takes effect within what the socket has already delivered.
 */
import { withDeadline } from '../../shared/kernel/deadline.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { MysqlConfig } from '../../shared/mysql/database.ts';
import { openReplicationConnection } from '../../shared/mysql/replication-connection.ts';
import type { ReplicationConnection } from '../../shared/mysql/replication-connection.ts';
import { parsePosition } from '../change/position.ts';
import { translateBinlogError } from './binlog-errors.ts';
import type { BinlogEvent } from './binlog-event.ts';
import { CHARSETS_SQL, charsetsOf } from './binlog/charsets.ts';
import { EventReader } from './binlog/event-reader.ts';
import { encodeGtidSet } from './binlog/gtid-events.ts';
import { PositionTracker } from './binlog/position-tracker.ts';
import { REFUSED_TYPES_SQL, refuseTypes } from './binlog/refused-types.ts';

const START_DEADLINE_MS = 15_000;
/** How often an idle server says that it is there. */
const SERVER_HEARTBEAT_NS = 1_000_000_000;
const COM_BINLOG_DUMP = 0x12;
const COM_BINLOG_DUMP_GTID = 0x1e;
/** The first event of a binlog file, behind its magic number. */
const FIRST_POSITION = 4;
/** "Understands GTIDs": without it MariaDB rewrites its own events for older readers. */
const MARIADB_CAPABILITY = 4;

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
  /** Those whose rows are wanted: that their columns can be read is seen to before the stream begins. */
  readonly tables?: readonly string[] | undefined;
  readonly onEvent: (event: BinlogEvent) => void;
  /** Anything from the server, heartbeats and other databases' events included. */
  readonly onSign: () => void;
  readonly onError: (error: TandemError) => void;
}

/** Resolves once the stream was asked for. Throws db-unavailable, deadline-exceeded, or what binlog-errors.ts makes of the server's word. */
export async function openBinlogSource(options: BinlogSourceOptions): Promise<BinlogSource> {
  try {
    return await withDeadline('binlog: the stream opens', START_DEADLINE_MS, () => open(options));
  } catch (error) {
    throw translateBinlogError(error);
  }
}

async function open(options: BinlogSourceOptions): Promise<BinlogSource> {
  const connection = await openReplicationConnection(options.mysql);
  try {
    const { engine, reader } = await prepare(connection, options);
    return stream(connection, reader, dumpCommand(engine, options), options);
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

type Engine = 'mysql' | 'mariadb';

/** Tells the server in variables of the session what kind of reader this is, as both of them want it. */
async function prepare(connection: ReplicationConnection, { mysql, start, tables = [] }: BinlogSourceOptions): Promise<{ engine: Engine; reader: EventReader }> {
  const [server] = await connection.query<{ version: string; checksum: string }>('SELECT @@version AS version, @@GLOBAL.binlog_checksum AS checksum');
  const engine: Engine = /mariadb/i.test(server?.version ?? '') ? 'mariadb' : 'mysql';
  const checksum = server?.checksum ?? 'NONE';
  await connection.query(
    `SET @master_binlog_checksum = '${checksum}', @source_binlog_checksum = '${checksum}',
         @master_heartbeat_period = ${SERVER_HEARTBEAT_NS}, @source_heartbeat_period = ${SERVER_HEARTBEAT_NS}`,
  );
  if (engine === 'mariadb') {
    await connection.query(`SET @mariadb_slave_capability = ${MARIADB_CAPABILITY}`);
    // Digits, dashes and commas by now.
    if (start.kind === 'gtid') await connection.query(`SET @slave_connect_state = '${mariaPosition(start.position)}', @slave_gtid_strict_mode = 0`);
  }
  refuseTypes(await connection.query(REFUSED_TYPES_SQL), new Set(tables));
  const charsets = charsetsOf(await connection.query(CHARSETS_SQL[engine]));
  const position = new PositionTracker(start.kind === 'gtid' ? start.position : undefined);
  return { engine, reader: new EventReader({ engine, database: mysql.database, charsets, position, hasChecksums: checksum !== 'NONE' }) };
}

function mariaPosition(text: string): string {
  const { flavour } = parsePosition(text);
  if (flavour === 'mysql') throw new TandemError('capture-position-gone', `the topic holds ${text}, a position of MySQL, but the server is MariaDB`);
  return text.replaceAll(/\s/g, '');
}

function stream(connection: ReplicationConnection, reader: EventReader, command: Buffer, options: BinlogSourceOptions): BinlogSource {
  let isOver = false;
  const fail = (error: unknown): void => {
    if (isOver) return;
    isOver = true;
    connection.destroy();
    options.onError(translateBinlogError(error));
  };
  const onEvent = (event: BinlogEvent): void => options.onEvent(event);
  connection.dump(command, {
    onEvent: (bytes, start, end) => {
      if (isOver) return;
      try {
        options.onSign();
        reader.read(bytes, start, end, onEvent);
      } catch (error) {
        fail(error);
      }
    },
    onError: fail,
  });
  return {
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    stop: () => {
      isOver = true;
      connection.destroy();
      return Promise.resolve();
    },
  };
}

/** MariaDB was told its position before, and looks at file and offset only where it was not. */
function dumpCommand(engine: Engine, { start, replicaId }: BinlogSourceOptions): Buffer {
  const head = Buffer.alloc(11);
  if (engine === 'mysql' && start.kind === 'gtid') {
    const set = encodeGtidSet(start.position);
    const rest = Buffer.alloc(12);
    head.writeUInt8(COM_BINLOG_DUMP_GTID, 0);
    head.writeUInt32LE(replicaId, 3);
    rest.writeBigUInt64LE(BigInt(FIRST_POSITION), 0);
    rest.writeUInt32LE(set.length, 8);
    return Buffer.concat([head, rest, set]);
  }
  head.writeUInt8(COM_BINLOG_DUMP, 0);
  head.writeUInt32LE(FIRST_POSITION, 1);
  head.writeUInt32LE(replicaId, 7);
  return Buffer.concat([head, Buffer.from(start.kind === 'file' ? start.file : '')]);
}
