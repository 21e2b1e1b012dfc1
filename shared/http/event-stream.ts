/**
 * Server-sent events: an answer that stays open and tells what happens.
 *
 * Invariant: memory per client is bounded. send() waits while the client reads slowly; a client that stops reading for
 * STALL_MS_MAX, or for whom more than BUFFERED_BYTES_MAX wait, is cut off and comes back with Last-Event-ID.
 * It keeps no history: resuming is the caller's, who knows what the ids mean.
 */
import type { ServerResponse } from 'node:http';
import type { OpenStream } from './app-state.ts';
import type { HttpReply } from './http-server.ts';

/** Below the idle timeouts of common proxies (30 s and more). */
export const KEEP_ALIVE_EVERY_MS = 15_000;
export const BUFFERED_BYTES_MAX = 256 * 1024;
export const STALL_MS_MAX = 30_000;
/** How long a client waits before it comes back after a drain. */
const RETRY_MS = 500;

export interface ServerEvent {
  /** Comes back as Last-Event-ID. Without it the client's last id stays as it was. */
  readonly id?: string | number | bigint;
  readonly event?: string;
  /** Sent as JSON, unless it is text already. */
  readonly data: unknown;
}

export interface EventStream {
  /** False once the stream is closed; else true when the client has room for more. Never throws. */
  send(event: ServerEvent): Promise<boolean>;
  /** Ends the answer after what is buffered. */
  close(): void;
  /** Aborted when the client is gone, the server drains, or close() was called. */
  readonly closed: AbortSignal;
}

/** Takes the reply over and begins the stream; headers set before are sent. On HEAD it is closed at once. */
export function openEventStream(reply: HttpReply): EventStream {
  const { raw, request } = reply;
  request.isStream = true;
  reply.hijack();
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  raw.flushHeaders();
  const { streams, isDraining } = request.server.tandem;
  const stream = new RawEventStream(raw, (own) => streams.delete(own));
  streams.add(stream);
  if (request.method === 'HEAD') stream.close();
  else if (isDraining) stream.leave();
  return stream;
}

class RawEventStream implements EventStream, OpenStream {
  readonly kind = 'events';
  readonly #raw: ServerResponse;
  readonly #closing = new AbortController();
  readonly #keepAlive: NodeJS.Timeout;
  /** Later frames wait for it: one stall at a time. */
  #room: Promise<void> = Promise.resolve();

  constructor(raw: ServerResponse, onEnd: (stream: RawEventStream) => void) {
    this.#raw = raw;
    this.#keepAlive = setInterval(() => this.#write(': keep-alive\n\n'), KEEP_ALIVE_EVERY_MS);
    this.#keepAlive.unref();
    raw.once('close', () => {
      this.#markClosed();
      onEnd(this);
    });
    raw.on('error', () => raw.destroy());
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  async send(event: ServerEvent): Promise<boolean> {
    this.#write(formatEvent(event));
    await this.#room;
    return !this.closed.aborted;
  }

  close(): void {
    this.#markClosed();
    this.#raw.end();
  }

  leave(): void {
    this.#write(`retry: ${RETRY_MS}\nevent: reconnect\ndata: {}\n\n`);
    this.close();
  }

  #write(frame: string): void {
    if (this.closed.aborted) return;
    if (this.#raw.write(frame)) return;
    if (this.#raw.writableLength > BUFFERED_BYTES_MAX) this.#raw.destroy();
    else if (!this.#isWaiting) this.#room = this.#waitForRoom();
  }

  #isWaiting = false;

  #waitForRoom(): Promise<void> {
    this.#isWaiting = true;
    return new Promise((resolve) => {
      const stall = setTimeout(() => this.#raw.destroy(), STALL_MS_MAX);
      const done = (): void => {
        clearTimeout(stall);
        this.#raw.off('drain', done);
        this.closed.removeEventListener('abort', done);
        this.#isWaiting = false;
        resolve();
      };
      this.#raw.once('drain', done);
      this.closed.addEventListener('abort', done, { once: true });
    });
  }

  #markClosed(): void {
    clearInterval(this.#keepAlive);
    this.#closing.abort();
  }
}

/** The text of one event, as the WHATWG standard has it. A line break would end a field, so data is sent line by line. */
export function formatEvent({ id, event, data }: ServerEvent): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  const lines = text.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  const head = `${id === undefined ? '' : `id: ${oneLine(String(id))}\n`}${event === undefined ? '' : `event: ${oneLine(event)}\n`}`;
  return `${head}${lines.join('')}\n`;
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\0]/g, ' ');
}
