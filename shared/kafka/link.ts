/**
 * One kafkajs client together with its sockets, so that it can be cut off for good.
 *
 * Invariant: after cut() not one more byte leaves this process over the link. kafkajs alone cannot promise that: calls
 * that were given up go on retrying inside of it and would reconnect.
 *
 * HAZARD: bytes that left before the cut may still be waiting in front of a frozen broker and be carried out when it
 * thaws. A send that failed may therefore land late, even behind later ones of another link; who reads must bear
 * duplicates (the apply does: versions and checkpoints).
 */
import { Socket, connect } from 'node:net';
import { Kafka, logLevel } from 'kafkajs';
import type { ISocketFactoryArgs, LogEntry } from 'kafkajs';
import type { LogSink } from '../kernel/log-sink.ts';
import './fetched-records.ts';
import './produce-request.ts';
import './request-queue-fix.ts';

const CONNECT_DEADLINE_MS = 2000;
const REQUEST_DEADLINE_MS = 5000;
const KEEP_ALIVE_MS = 10_000;

export interface KafkaConfig {
  /** host:port of brokers to begin with. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: LogSink;
}

export class KafkaLink {
  readonly kafka: Kafka;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  constructor({ brokers, clientId, log }: KafkaConfig) {
    this.kafka = new Kafka({
      brokers: [...brokers],
      clientId,
      connectionTimeout: CONNECT_DEADLINE_MS,
      requestTimeout: REQUEST_DEADLINE_MS,
      // How often a broker is looked for; what to do with a failed call is decided by whoever made it.
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 5 },
      logLevel: logLevel.INFO,
      logCreator: () => (entry) => writeLog(log, entry),
      socketFactory: (where) => this.#open(where),
    });
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #open({ host, port, onConnect }: ISocketFactoryArgs): Socket {
    if (this.#isCut) return new Socket().destroy(new Error('this link to Kafka was cut'));
    const socket = connect({ host, port }, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

/** kafkajs calls each retry an error; whether something failed is said by the error that the caller gets. */
function writeLog(log: LogSink, { level, namespace, log: { message, timestamp: _timestamp, logger: _logger, ...fields } }: LogEntry): void {
  if (level <= logLevel.ERROR) log.warn({ ...fields, namespace }, `kafkajs: ${message}`);
  else log.debug({ ...fields, namespace }, `kafkajs: ${message}`);
}
