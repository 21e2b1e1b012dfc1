/**
 * One driver's WebSocket: pings up, dispatch's events down.
 * Invariant: an accepted ping reaches the board and Redis, a refused one is answered and harms nothing; events go down in
 * order, each once, from the offset the client gave, over any number of losses of dispatch behind it. Its memory is
 * bounded: a client that does not read is cut off and resumes from its offset, as is one that talks too much.
 * It does not check tokens (driver-stream.ts) and decides nothing about offers.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { pauseMs } from '../../../shared/kernel/retry.ts';
import { PingGate } from '../domain/ping-gate.ts';
import type { Position } from '../domain/position.ts';
import { TokenBucket } from '../domain/token-bucket.ts';
import { errorFrame, eventFrame, helloFrame, parseUpFrame } from './frames.ts';
import type { DriverEvent } from './frames.ts';

/** Unread bytes that may wait for a slow client. */
export const BUFFERED_BYTES_MAX = 256 * 1024;
/** Frames a client may send. A phone sends one a second; a simulation at high speed, a few. */
export const FRAMES = { burst: 100, perSecond: 50 } as const;
/** Bad frames that are forgiven; beyond it the socket is closed with 1008. */
export const BAD_FRAMES = { burst: 20, perSecond: 20 / 60 } as const;
/** Without a sign of life for this long, a connection is taken for dead. */
export const SILENCE_MS_MAX = 30_000;
const RECONNECT = { baseMs: 100, maxMs: 2_000 } as const;

/** WebSocket close codes (RFC 6455, section 7.4.1, and IANA's registry); from 4000 on they are an application's own. */
export const CLOSE = { policy: 1008, restart: 1012, tryLater: 1013, replaced: 4001 } as const;

/** What is used of a WebSocket. */
export type Socket = {
  readonly bufferedAmount: number;
  send(text: string): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'message', listener: (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => void): unknown;
  on(event: 'pong' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
};

export type DriverSocketDeps = {
  /** Where accepted positions go. Must not block. */
  readonly take: (position: Position) => void;
  /** dispatch's DriverEvents: events after `after`, in order, until the signal aborts. */
  readonly events: (request: { driverId: string; after: string }, signal: AbortSignal) => AsyncIterable<DriverEvent>;
  readonly speedFactor: () => number;
  readonly nowMs: () => number;
  readonly log: LogSink;
  readonly counts: { readonly ping: (outcome: string) => void; readonly event: () => void; readonly closed: (reason: string) => void };
};

export class DriverSocket {
  readonly driverId: string;
  readonly #socket: Socket;
  readonly #deps: DriverSocketDeps;
  readonly #gate = new PingGate();
  readonly #frames: TokenBucket;
  readonly #badFrames: TokenBucket;
  readonly #ending = new AbortController();
  #offset: string;
  #heardMs: number;

  constructor(socket: Socket, options: { readonly driverId: string; readonly after: string; readonly deps: DriverSocketDeps }) {
    const nowMs = options.deps.nowMs();
    this.driverId = options.driverId;
    this.#socket = socket;
    this.#deps = options.deps;
    this.#offset = options.after;
    this.#heardMs = nowMs;
    this.#frames = new TokenBucket({ ...FRAMES, nowMs });
    this.#badFrames = new TokenBucket({ ...BAD_FRAMES, nowMs });
  }

  /** Begins; resolves when the socket is closed and nothing of it is left. */
  async run(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#socket.on('close', resolve);
    });
    this.#socket.on('message', (data, isBinary) => this.#hear(data, isBinary));
    this.#socket.on('pong', () => {
      this.#heardMs = this.#deps.nowMs();
    });
    // 'close' follows each 'error'; without a listener it would take the process down.
    this.#socket.on('error', (err) => this.#deps.log.debug({ err, driverId: this.driverId }, 'driver socket failed'));
    this.#socket.send(helloFrame(this.#offset));
    const following = this.#follow();
    await closed;
    this.#ending.abort();
    await following;
  }

  /** Called every few seconds: pings the client, or gives it up when it has been silent for too long. */
  checkAlive(): void {
    if (this.#deps.nowMs() - this.#heardMs > SILENCE_MS_MAX) {
      this.#deps.counts.closed('silent');
      this.#ending.abort();
      this.#socket.terminate();
    } else {
      this.#socket.ping();
    }
  }

  close(code: number, reason: string): void {
    if (this.#ending.signal.aborted) return;
    this.#deps.counts.closed(reason);
    this.#ending.abort();
    this.#socket.close(code, reason);
  }

  #hear(data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean): void {
    if (this.#ending.signal.aborted) return;
    const nowMs = this.#deps.nowMs();
    this.#heardMs = nowMs;
    if (!this.#frames.take(nowMs)) {
      this.#refuse('rate-limited', `at most ${FRAMES.perSecond} frames a second`, nowMs);
      return;
    }
    const frame = isBinary ? ({ kind: 'malformed', detail: 'frames must be text' } as const) : parseUpFrame(String(data));
    if (frame.kind === 'malformed') {
      this.#refuse('ping-malformed', frame.detail, nowMs);
      return;
    }
    const verdict = this.#gate.judge(frame.ping, { nowMs, speedFactor: this.#deps.speedFactor() });
    if (verdict.kind === 'refused') {
      this.#refuse(verdict.code, verdict.detail, nowMs);
      return;
    }
    this.#deps.counts.ping('accepted');
    this.#deps.take({ driverId: this.driverId, lat: verdict.place.lat, lon: verdict.place.lon, atMs: verdict.atMs, seenMs: nowMs });
  }

  #refuse(code: string, detail: string, nowMs: number): void {
    this.#deps.counts.ping(code);
    if (this.#badFrames.take(nowMs)) this.#send(errorFrame(code, detail));
    else this.close(CLOSE.policy, 'too many bad frames');
  }

  /** Follows dispatch's stream as long as the socket lives, from the last event sent, whenever it breaks. */
  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    let failures = 0;
    while (!signal.aborted) {
      try {
        for await (const event of this.#deps.events({ driverId: this.driverId, after: this.#offset }, signal)) {
          if (signal.aborted) return;
          failures = 0;
          this.#tell(event);
        }
      } catch (err) {
        if (signal.aborted) return;
        if (failures === 0) this.#deps.log.debug({ err, driverId: this.driverId }, 'dispatch stream lost; following again');
      }
      failures += 1;
      await sleep(pauseMs(failures, RECONNECT) + RECONNECT.baseMs / 2, signal).catch(() => {});
    }
  }

  #tell(event: DriverEvent): void {
    // A replay that overlaps what was sent is not sent again.
    if (BigInt(event.seq) <= BigInt(this.#offset)) return;
    this.#deps.counts.event();
    if (this.#send(eventFrame(event))) this.#offset = event.seq;
  }

  #send(frame: string): boolean {
    if (this.#socket.bufferedAmount > BUFFERED_BYTES_MAX) {
      this.close(CLOSE.tryLater, 'reads too slowly; resume from the last offset');
      return false;
    }
    this.#socket.send(frame);
    return true;
  }
}
