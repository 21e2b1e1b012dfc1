/**
 * Follows the stream of positions: the one Redis reader of this process, however many subscribers there are.
 * Invariant: everything read goes onto the board, in stream order; at start the entries of the last FRESH_MS are read
 * first, so that a new process knows the fleet at once. It runs until stopped: with Redis gone it tries again, with
 * pauses, and goes on after the last entry it saw, or from the tail where the stream was emptied meanwhile.
 */
import { sleep, withDeadline } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { pauseMs } from '../../../shared/kernel/retry.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Redis } from '../../../shared/redis/redis.ts';
import { FRESH_MS } from '../domain/cells.ts';
import type { PositionBoard } from '../domain/position-board.ts';
import { decodeBatch } from './position-codec.ts';
import { POSITIONS_STREAM } from './redis-keys.ts';

/** XREAD waits this long for news. */
const BLOCK_MS = 500;
/** No answer by then: the connection is taken for dead. */
const READ_DEADLINE_MS = BLOCK_MS + 2_000;
/** Entries a read; each is a batch. */
const READ_COUNT = 256;
/** ioredis: drop the connection, with what waits on it, and make a new one. */
const RECONNECT = true;
const RETRY = { baseMs: 100, maxMs: 2_000 } as const;

type Entry = [id: string, fields: string[]];

export class PositionReader {
  readonly #redis: Redis;
  readonly #board: PositionBoard;
  readonly #log: LogSink;
  readonly #nowMs: () => number;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isReading = false;

  /** `redis` is a connection of its own, opened for blocking use. */
  constructor(options: { readonly redis: Redis; readonly board: PositionBoard; readonly log: LogSink; readonly nowMs: () => number }) {
    this.#redis = options.redis;
    this.#board = options.board;
    this.#log = options.log;
    this.#nowMs = options.nowMs;
  }

  /** False while Redis does not answer: the board then holds this process's own pings only. */
  get isReading(): boolean {
    return this.#isReading;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let afterId = `${this.#nowMs() - FRESH_MS}-0`;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const entries = await this.#read(afterId);
        for (const [id, fields] of entries) {
          this.#take(fields);
          afterId = id;
        }
        failures = 0;
        if (!this.#isReading) this.#log.info({ afterId }, 'reading the stream of positions');
        this.#isReading = true;
      } catch (err) {
        if (signal.aborted) return;
        if (this.#isReading || failures === 0) this.#log.warn({ err }, 'the stream of positions cannot be read');
        this.#isReading = false;
        failures += 1;
        // A Redis that lost its data counts ids from its own clock: what is older than fresh is of no use anyway.
        afterId = `${this.#nowMs() - FRESH_MS}-0`;
        if (isTandemError(err, 'deadline-exceeded')) this.#redis.disconnect(RECONNECT);
        await sleep(pauseMs(failures, RETRY) + RETRY.baseMs, signal).catch(() => {});
      }
    }
  }

  async #read(afterId: string): Promise<Entry[]> {
    const reply = await withDeadline('reading the stream of positions', READ_DEADLINE_MS, () =>
      this.#redis.xread('COUNT', READ_COUNT, 'BLOCK', BLOCK_MS, 'STREAMS', POSITIONS_STREAM, afterId), this.#stopping.signal);
    return (reply?.[0]?.[1] ?? []) as Entry[];
  }

  #take(fields: readonly string[]): void {
    for (let i = 0; i + 1 < fields.length; i += 2) {
      if (fields[i] !== 'batch') continue;
      for (const position of decodeBatch(fields[i + 1]!)) this.#board.put(position);
    }
  }
}
