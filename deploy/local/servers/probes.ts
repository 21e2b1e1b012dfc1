/**
 * Readiness probes in a few bytes of each server's own protocol, so that the supervisor needs no client library.
 *
 * Invariant: each probe ends within PROBE_DEADLINE_MS and leaves no connection behind. None of them logs in to a database:
 * they show that a server answers, not that credentials are right.
 */
import { createConnection } from 'node:net';
import { LOOPBACK } from './server-spec.ts';

export const PROBE_DEADLINE_MS = 1_000;
/** No answer that a probe waits for is longer; a peer that keeps talking is not the server we look for. */
const ANSWER_BYTES_MAX = 64 * 1024;

const MYSQL_PROTOCOL = 10;

/** A MySQL server greets first: 4 bytes of header, then the protocol version. It does so only once it accepts logins. */
export async function probeMysql(port: number): Promise<void> {
  const greeting = await exchange(port, Buffer.alloc(0), (answer) => answer.length >= 5);
  if (greeting[4] !== MYSQL_PROTOCOL) throw new Error(`port ${port} greets with something else than MySQL's handshake`);
}

/** PING after AUTH; while Redis loads its data it answers -LOADING. */
export async function probeRedis(port: number, password: string): Promise<void> {
  const ask = `*2\r\n$4\r\nAUTH\r\n$${Buffer.byteLength(password)}\r\n${password}\r\n*1\r\n$4\r\nPING\r\n`;
  const answer = await exchange(port, Buffer.from(ask), (bytes) => bytes.toString('latin1').split('\r\n').length > 2);
  const lines = answer.toString('latin1').split('\r\n');
  if (lines[0] !== '+OK' || lines[1] !== '+PONG') throw new Error(`Redis on port ${port} answers ${lines.join(' ').trim()}`);
}

/**
 * Asks for the cluster's metadata without topics (Metadata v1) and counts the brokers in it: a broker that is still fenced is
 * not in the list, although its port is open.
 */
export async function probeKafka(port: number): Promise<void> {
  const client = Buffer.from('tandem-probe');
  const ask = Buffer.alloc(4 + 2 + 2 + 4 + 2 + client.length + 4);
  let at = ask.writeInt32BE(ask.length - 4, 0);
  at = ask.writeInt16BE(3, at); // api key: Metadata
  at = ask.writeInt16BE(1, at); // version
  at = ask.writeInt32BE(1, at); // correlation id
  at = ask.writeInt16BE(client.length, at);
  at += client.copy(ask, at);
  ask.writeInt32BE(0, at); // no topics
  const answer = await exchange(port, ask, (bytes) => bytes.length >= 12 && bytes.length >= 4 + bytes.readInt32BE(0));
  const brokers = answer.readInt32BE(8);
  if (brokers < 1) throw new Error(`Kafka on port ${port} is up but its broker is still fenced`);
}

/** GET with a 2xx answer. */
export async function probeHttp(port: number, path: string): Promise<void> {
  const response = await fetch(`http://${LOOPBACK}:${port}${path}`, { signal: AbortSignal.timeout(PROBE_DEADLINE_MS) }).catch((e: unknown) => {
    // fetch keeps what happened to the socket in the cause.
    throw (e as Error).cause ?? e;
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${path} answers ${response.status}: ${body.slice(0, 300)}`);
}

function exchange(port: number, ask: Buffer, isComplete: (answer: Buffer) => boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer: Buffer = Buffer.alloc(0);
    const socket = createConnection({ host: LOOPBACK, port });
    const finish = (error?: Error): void => {
      socket.destroy();
      if (error) reject(error);
      else resolve(answer);
    };
    socket.setTimeout(PROBE_DEADLINE_MS, () => finish(new Error(`port ${port} did not answer within ${PROBE_DEADLINE_MS} ms`)));
    socket.on('connect', () => socket.write(ask));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (isComplete(answer)) finish();
      else if (answer.length > ANSWER_BYTES_MAX) finish(new Error(`port ${port} answers something unexpected`));
    });
    socket.on('error', finish);
    socket.on('close', () => finish(new Error(`port ${port} closed the connection`)));
  });
}
