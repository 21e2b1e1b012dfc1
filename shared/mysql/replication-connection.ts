/**
 * A connection that becomes a stream of binlog events: queries first, then one dump command, after which the server talks.
 *
 * Invariants: packets are handed over synchronously, in order, whole (those over 16 MiB joined), and only until the first
 * error; a packet's bytes are the handler's for the time of the call. It does not reconnect. The driver knows no command
 * for this, so from then on its socket is read here (packet-reader.ts). Errors are the driver's or the server's,
 * untranslated, as what a number means to a reader of binlogs is the reader's affair.
 * HAZARD: not over TLS, where the driver's socket carries another stream.
 * Deliberately absent: what an event is (cdc/capture/binlog).
 */
import type { Socket } from 'node:net';
import { createConnection } from 'mysql2';
import type { Connection } from 'mysql2';
import { collectGarbage } from '../kernel/collect-garbage.ts';
import { withDeadline } from '../kernel/deadline.ts';
import type { MysqlConfig } from './database.ts';
import { HEADER_BYTES, PacketReader } from './packet-reader.ts';
import { CONNECT_DEADLINE_MS, connectionOptions } from './session.ts';

const QUERY_DEADLINE_MS = 10_000;
const LARGE_PACKET_BYTES = 8 * 1024 * 1024;
const [ERROR_PACKET, END_PACKET] = [0xff, 0xfe];
const NOTHING = Buffer.alloc(0);

export interface ReplicationConnection {
  query<Row>(sql: string): Promise<Row[]>;
  /** Sends the command (its first byte says which) and hands over what the server answers. Call once, after the queries. */
  dump(command: Buffer, handlers: DumpHandlers): void;
  pause(): void;
  resume(): void;
  destroy(): void;
}

export interface DumpHandlers {
  /** `bytes` from `start` to `end` is one event, without the packet's own first byte. */
  readonly onEvent: (bytes: Buffer, start: number, end: number) => void;
  /** At most once; nothing follows. The server's end of the stream is an error, too. */
  readonly onError: (error: unknown) => void;
}

/** Throws the driver's error, or deadline-exceeded. */
export async function openReplicationConnection(config: MysqlConfig): Promise<ReplicationConnection> {
  const connection = createConnection({ ...connectionOptions(config), bigNumberStrings: true, connectAttributes: { program_name: 'tandem-binlog' } }) as DriverConnection;
  // An error before anybody listens must not reach the whole process.
  connection.on('error', () => {});
  try {
    await withDeadline('mysql: the binlog reader connects', CONNECT_DEADLINE_MS, () => new Promise<void>((resolve, reject) => {
      connection.connect((error) => (error === null ? resolve() : reject(error)));
    }));
  } catch (error) {
    connection.destroy();
    throw error;
  }
  let flow: ReturnType<typeof startDump> | undefined;
  return {
    query: (sql) => withDeadline('mysql: the binlog reader asks', QUERY_DEADLINE_MS, () => queried(connection, sql)),
    dump: (command, handlers) => {
      flow = startDump(connection, command, handlers);
    },
    pause: () => flow?.pause(),
    resume: () => flow?.resume(),
    destroy: () => connection.destroy(),
  };
}

function queried<Row>(connection: Connection, sql: string): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    connection.query(sql, (error, rows) => (error === null ? resolve(rows as Row[]) : reject(error)));
  });
}

/** The parts of the driver that its types do not tell of. */
interface DriverConnection extends Connection {
  readonly stream: Socket;
}

/** From the command on the socket is ours: the driver's own reader would keep each large packet three times. */
function startDump(connection: DriverConnection, command: Buffer, handlers: DumpHandlers): { pause(): void; resume(): void } {
  const { stream } = connection;
  let isOver = false;
  const fail = (error: unknown): void => {
    if (isOver) return;
    isOver = true;
    handlers.onError(error);
  };
  const packets = new PacketReader((bytes, start, end) => {
    // What it was collected from is garbage of the same size, and what is made of it will be as large once more.
    if (end - start > LARGE_PACKET_BYTES) collectGarbage();
    const first = bytes[start];
    if (first === ERROR_PACKET) fail(errorOf(bytes.subarray(start, end)));
    else if (first === END_PACKET) fail(new Error('the server has ended the stream'));
    else handlers.onEvent(bytes, start + 1, end);
  });
  connection.on('error', fail);
  stream.removeAllListeners('data');
  stream.on('data', (chunk: Buffer) => {
    if (isOver) return;
    try {
      packets.accept(chunk);
    } catch (error) {
      fail(error);
    }
  });
  stream.on('error', fail);
  stream.on('close', () => fail(new Error('the server closed the connection')));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntLE(command.length, 0, 3);
  stream.write(Buffer.concat([header, command]));
  return {
    pause: () => {
      packets.isPaused = true;
      stream.pause();
    },
    resume: () => {
      packets.isPaused = false;
      try {
        packets.accept(NOTHING);
      } catch (error) {
        fail(error);
      }
      if (!packets.isPaused) stream.resume();
    },
  };
}

/** As the driver reports the answers to queries: a message with the server's number in `errno`. */
function errorOf(packet: Buffer): Error {
  // Behind the mark: the number, '#' and five letters of SQL state, the text.
  const text = packet.toString('utf8', packet[3] === 0x23 ? 9 : 3);
  return Object.assign(new Error(text), { errno: packet.readUInt16LE(1) });
}
