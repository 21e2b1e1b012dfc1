/** One driver's connection, with the socket, dispatch and time in the test's hands. */
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { BAD_FRAMES, BUFFERED_BYTES_MAX, CLOSE, DriverSocket, SILENCE_MS_MAX } from '../../../services/location/http/driver-socket.ts';
import type { DriverSocketDeps, Socket } from '../../../services/location/http/driver-socket.ts';
import { eventFrame, parseUpFrame } from '../../../services/location/http/frames.ts';
import type { DriverEvent } from '../../../services/location/http/frames.ts';
import { LiveSockets } from '../../../services/location/http/live-sockets.ts';
import type { Position } from '../../../services/location/domain/position.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

class FakeSocket extends EventEmitter implements Socket {
  bufferedAmount = 0;
  pings = 0;
  readonly frames: Record<string, unknown>[] = [];
  closedWith: number | undefined;
  send(text: string): void {
    this.frames.push(JSON.parse(text));
  }
  ping(): void {
    this.pings += 1;
  }
  close(code: number): void {
    this.closedWith ??= code;
    this.emit('close');
  }
  terminate(): void {
    this.close(1006);
  }
  up(frame: unknown): void {
    this.emit('message', Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame)), false);
  }
}

const offer = (seq: number): DriverEvent => ({ seq: String(seq), type: 'offer', dataJson: `{"offer":{"id":"${seq}"}}` });
/** Waits for the test to end the stream. */
const untilAborted = (signal: AbortSignal) => new Promise<void>((resolve) => {
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve());
});

async function* nothingHappens(_: unknown, signal: AbortSignal): AsyncGenerator<DriverEvent> {
  yield* [];
  await untilAborted(signal);
}

const quiet: DriverSocketDeps = {
  take: () => {}, events: nothingHappens, speedFactor: () => 1, nowMs: () => 0, log: SILENT_LOG,
  counts: { ping: () => {}, event: () => {}, closed: () => {} },
};

/** Reads offers 6 and 7, loses dispatch, then gets an overlap. */
const lossy: Streams = (after, attempt) => {
  if (attempt === 2) return new Error('dispatch went away');
  if (after === '5') return [offer(6), offer(7)];
  return after === '7' ? [offer(7), offer(8)] : [];
};

type Streams = (after: string, attempt: number) => readonly DriverEvent[] | Error;

function open(options: { after?: string; streams?: Streams } = {}) {
  const socket = new FakeSocket();
  const taken: Position[] = [];
  const asked: string[] = [];
  let nowMs = 1_000_000;
  const deps: DriverSocketDeps = {
    take: (position) => taken.push(position),
    events: async function* events({ after }, signal) {
      asked.push(after);
      const answer = options.streams?.(after, asked.length) ?? [];
      if (answer instanceof Error) throw answer;
      yield* answer;
      if (answer.length === 0) await untilAborted(signal);
    },
    speedFactor: () => 1,
    nowMs: () => nowMs,
    log: SILENT_LOG,
    counts: { ping: () => {}, event: () => {}, closed: () => {} },
  };
  const driver = new DriverSocket(socket, { driverId: '77', after: options.after ?? '0', deps });
  return { socket, taken, asked, driver, run: driver.run(), advance: (ms: number) => void (nowMs += ms) };
}

describe('a driver’s socket', () => {
  test('says hello with the offset it starts after, takes pings, and ends with the connection', async () => {
    const { socket, taken, run } = open({ after: '41' });
    expect(socket.frames).toEqual([{ type: 'hello', offset: '41' }]);
    socket.up({ type: 'ping', lat: 40.75, lon: -73.98 });
    expect(taken).toEqual([{ driverId: '77', lat: 40.75, lon: -73.98, atMs: 1_000_000, seenMs: 1_000_000 }]);
    socket.emit('close');
    await run;
  });

  test('answers a bad frame and lives on; too many of them end it with 1008', async () => {
    const { socket, taken, run, advance } = open();
    for (const bad of ['{', '[]', { type: 'pong' }, { type: 'ping', lat: 91, lon: 0 }, { type: 'ping', lat: 1, lon: 1, at: 'noon' }]) socket.up(bad);
    expect(socket.frames.slice(1).map((frame) => [frame.type, frame.code])).toEqual([
      ['error', 'ping-malformed'], ['error', 'ping-malformed'], ['error', 'ping-malformed'], ['error', 'ping-out-of-range'], ['error', 'ping-malformed'],
    ]);
    socket.emit('message', Buffer.from('{}'), true);
    expect(socket.frames.at(-1)).toMatchObject({ code: 'ping-malformed', detail: 'frames must be text' });
    advance(1_000);
    socket.up({ type: 'ping', lat: 40.75, lon: -73.98 });
    expect(taken).toHaveLength(1);
    for (let i = 0; i <= BAD_FRAMES.burst; i += 1) socket.up('{');
    expect(socket.closedWith).toBe(CLOSE.policy);
    await run;
  });

  test('is not flooded: pings past the rate are refused', () => {
    const { socket, taken } = open();
    for (let i = 0; i < 110; i += 1) socket.up({ type: 'ping', lat: 40.75, lon: -73.98 });
    expect(taken).toHaveLength(100);
    expect(socket.frames.at(-1)).toMatchObject({ type: 'error', code: 'rate-limited' });
    socket.emit('close');
  });

  test('sends each event once, in order, over lost streams behind it', async () => {
    const { socket, asked, run } = open({ after: '5', streams: lossy });
    await expect.poll(() => asked.at(-1)).toBe('8');
    expect(socket.frames.slice(1).map((frame) => frame.offset)).toEqual(['6', '7', '8']);
    expect(asked).toEqual(['5', '7', '7', '8']);
    socket.emit('close');
    await run;
  });

  test('of a client that does not read is closed, to resume later', async () => {
    const { socket, run } = open({ streams: (after) => (after === '0' ? [offer(1)] : []) });
    socket.bufferedAmount = BUFFERED_BYTES_MAX + 1;
    await run;
    expect(socket.closedWith).toBe(CLOSE.tryLater);
    expect(socket.frames.map((frame) => frame.type)).toEqual(['hello']);
  });

  test('is pinged, and given up when silent for too long', async () => {
    const { socket, driver, run, advance } = open();
    driver.checkAlive();
    expect(socket.pings).toBe(1);
    advance(SILENCE_MS_MAX - 1);
    socket.emit('pong');
    advance(SILENCE_MS_MAX);
    driver.checkAlive();
    expect(socket.closedWith).toBeUndefined();
    advance(1);
    driver.checkAlive();
    await run;
    expect(socket.closedWith).toBe(1006);
  });
});

describe('live sockets', () => {
  test('are one a driver: the newer replaces the older; those whose home moved are sent away', async () => {
    let isHome = true;
    const live = new LiveSockets({ isHome: () => isHome });
    const fresh = [new FakeSocket(), new FakeSocket()] as const;
    const runs = fresh.map((socket) => live.run(new DriverSocket(socket, { driverId: '7', after: '0', deps: quiet })));
    expect(fresh[0].closedWith).toBe(CLOSE.replaced);
    await runs[0];
    expect(live.count).toBe(1);
    isHome = false;
    live.check();
    expect(fresh[1].closedWith).toBe(CLOSE.restart);
    await runs[1];
    expect(live.count).toBe(0);
  });
});

test('frames: an event keeps its data as it is, behind its type and offset', () => {
  expect(JSON.parse(eventFrame({ seq: '9007199254740993', type: 'offer-closed', dataJson: '{"offerId":"1","reason":"expired"}' }))).toEqual({
    type: 'offer-closed', offset: '9007199254740993', offerId: '1', reason: 'expired',
  });
  expect(eventFrame({ seq: '1', type: 'x', dataJson: '{}' })).toBe('{"type":"x","offset":"1"}');
  expect(parseUpFrame('{"type":"ping","lat":1,"lon":2,"at":null}')).toEqual({ kind: 'ping', ping: { lat: 1, lon: 2, at: null } });
});
