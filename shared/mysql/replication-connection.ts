/**
 * A connection that becomes a stream of binlog events: queries first, then one dump command, after which the server talks.
 *
 * Invariants: packets are handed over synchronously, in order, whole (those over 16 MiB joined), and only until the first
 * error; a packet's bytes are the handler's for the time of the call. It does not reconnect. The driver knows no command
 * for this: the dump is a command object of our own in its queue. Errors are the driver's, untranslated, as what a number
 * means to a reader of binlogs is the reader's affair.
 * Deliberately absent: what an event is (cdc/capture/binlog).
 */
import { createConnection } from 'mysql2';
import type { Connection } from 'mysql2';
import { withDeadline } from '../kernel/deadline.ts';
import type { MysqlConfig } from './database.ts';
import { CONNECT_DEADLINE_MS, connectionOptions } from './session.ts';

const QUERY_DEADLINE_MS = 10_000;
const HEADER_BYTES = 4;

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
  return {
    query: (sql) => withDeadline('mysql: the binlog reader asks', QUERY_DEADLINE_MS, () => queried(connection, sql)),
    dump: (command, handlers) => {
      const dump = new Dump(command, handlers);
      connection.on('error', (error: unknown) => dump.fail(error));
      connection.on('end', () => dump.fail(new Error('the server closed the connection')));
      connection.addCommand(dump);
    },
    pause: () => connection.pause(),
    resume: () => connection.resume(),
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
  addCommand(command: Dump): void;
  writePacket(packet: OutgoingPacket): void;
  _resetSequenceId(): void;
}

interface IncomingPacket {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly end: number;
  isEOF(): boolean;
  isError(): boolean;
  asError(encoding: string): Error;
}

/** What the driver asks of a command: execute() for the start and for each packet; true once it is over. */
class Dump {
  readonly #handlers: DumpHandlers;
  readonly #command: Buffer;
  #isSent = false;
  #isOver = false;

  constructor(command: Buffer, handlers: DumpHandlers) {
    this.#command = command;
    this.#handlers = handlers;
  }

  execute(packet: IncomingPacket | undefined, connection: DriverConnection): boolean {
    if (!this.#isSent) {
      this.#isSent = true;
      connection._resetSequenceId();
      connection.writePacket(new OutgoingPacket(this.#command));
      return false;
    }
    if (this.#isOver || packet === undefined) return this.#isOver;
    if (packet.isError()) this.fail(packet.asError('utf8'));
    else if (packet.isEOF()) this.fail(new Error('the server has ended the stream'));
    else this.#handlers.onEvent(packet.buffer, packet.offset + 1, packet.end);
    return this.#isOver;
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handlers.onError(error);
  }

  /** The driver subscribes to commands as to emitters, and tells a command of the loss of its connection by this. */
  readonly onResult = (error: unknown): void => this.fail(error);
  on(): void {}
  once(): void {}
  emit(): void {}
}

class OutgoingPacket {
  readonly buffer: Buffer;

  constructor(payload: Buffer) {
    this.buffer = Buffer.alloc(HEADER_BYTES + payload.length);
    payload.copy(this.buffer, HEADER_BYTES);
  }

  length(): number {
    return this.buffer.length;
  }

  writeHeader(sequenceId: number): void {
    this.buffer.writeUIntLE(this.buffer.length - HEADER_BYTES, 0, 3);
    this.buffer.writeUInt8(sequenceId, 3);
  }
}
