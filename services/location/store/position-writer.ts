/**
 * Carries accepted positions to Redis in batches: one pipeline each FLUSH_MS, whatever the number of pings.
 * Invariant: a driver's last position in Redis is one that was accepted, and lives no longer than it is fresh; memory
 * is bounded by the number of drivers, as a driver's later ping replaces the earlier one in the batch. A failed flush
 * is counted and its batch dropped, never retried: newer positions are already on their way.
 * It never makes a socket wait.
 */
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import type { Redis } from '../../../shared/redis/redis.ts';
import { BUCKET_TTL_MS, FRESH_MS, bucketOf, cellOf } from '../domain/cells.ts';
import type { Position } from '../domain/position.ts';
import { encodeBatch, encodePosition } from './position-codec.ts';
import { POSITIONS_STREAM, POSITIONS_STREAM_LENGTH_MAX, cellKey, lastPositionKey } from './redis-keys.ts';

/** Positions wait at most so long before they leave; also how long a rider's live view lags at least. */
export const FLUSH_MS = 20;
/** A batch goes out early when it has so many drivers. */
export const BATCH_MAX = 1_000;
/** A driver's place in a cell is written again only after the cell or the bucket changed; remembered for so many. */
const PLACED_MAX = 200_000;

export type WriterCounts = { readonly written: (positions: number) => void; readonly dropped: (positions: number) => void };

export class PositionWriter {
  readonly #redis: Redis;
  readonly #log: LogSink;
  readonly #counts: WriterCounts;
  #pending = new Map<string, Position>();
  /** driver → `cell:bucket` last written; cleared whenever Redis may have forgotten. */
  readonly #placed = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #inFlight: Promise<void> | undefined;
  #wasFailing = false;
  /** A restarted Redis may be an empty one. */
  readonly #forgetPlaces = (): void => this.#placed.clear();

  constructor(options: { readonly redis: Redis; readonly log: LogSink; readonly counts: WriterCounts }) {
    this.#redis = options.redis;
    this.#log = options.log;
    this.#counts = options.counts;
    this.#redis.on('ready', this.#forgetPlaces);
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  put(position: Position): void {
    this.#pending.set(position.driverId, position);
    if (this.#pending.size >= BATCH_MAX && this.#inFlight === undefined) this.#flushSoon(0);
    else this.#flushSoon(FLUSH_MS);
  }

  /** Sends what is pending; nothing is put after that. */
  async stop(): Promise<void> {
    await this.flush();
    this.#redis.off('ready', this.#forgetPlaces);
  }

  /** Sends what is pending and waits for it. Never throws. */
  async flush(): Promise<void> {
    await this.#inFlight;
    if (this.#pending.size > 0) await this.#start();
  }

  /** One flush at a time: while Redis is slow the next batch grows, each driver once, instead of a queue of batches. */
  #flushSoon(delayMs: number): void {
    if (this.#inFlight !== undefined) return;
    if (delayMs === 0) clearTimeout(this.#timer);
    else if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#start(), delayMs);
  }

  #start(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#pending;
    this.#pending = new Map();
    this.#inFlight = this.#write(batch).finally(() => {
      this.#inFlight = undefined;
      if (this.#pending.size > 0) this.#flushSoon(FLUSH_MS);
    });
    return this.#inFlight;
  }

  async #write(batch: ReadonlyMap<string, Position>): Promise<void> {
    try {
      const replies = await this.#pipelineOf(batch).exec();
      const failure = replies?.find(([error]) => error !== null)?.[0];
      if (failure !== undefined) throw failure;
      this.#counts.written(batch.size);
      if (this.#wasFailing) this.#log.info({}, 'positions reach Redis again');
      this.#wasFailing = false;
    } catch (err) {
      this.#forgetPlaces();
      this.#counts.dropped(batch.size);
      if (!this.#wasFailing) this.#log.warn({ err, positions: batch.size }, 'positions do not reach Redis; the next pings bring newer ones');
      this.#wasFailing = true;
    }
  }

  #pipelineOf(batch: ReadonlyMap<string, Position>): ReturnType<Redis['pipeline']> {
    const pipeline = this.#redis.pipeline();
    const encoded: string[] = [];
    const driversByCell = new Map<string, string[]>();
    for (const position of batch.values()) {
      const text = encodePosition(position);
      encoded.push(text);
      pipeline.set(lastPositionKey(position.driverId), text, 'PX', FRESH_MS);
      this.#place(position, driversByCell);
    }
    for (const [key, drivers] of driversByCell) {
      pipeline.sadd(key, ...drivers);
      pipeline.pexpire(key, BUCKET_TTL_MS);
    }
    pipeline.xadd(POSITIONS_STREAM, 'MAXLEN', '~', POSITIONS_STREAM_LENGTH_MAX, '*', 'batch', encodeBatch(encoded));
    return pipeline;
  }

  /** Notes the cell a position belongs to, unless it is already there. */
  #place(position: Position, driversByCell: Map<string, string[]>): void {
    const key = cellKey(cellOf(position), bucketOf(position.seenMs));
    if (this.#placed.get(position.driverId) === key) return;
    if (this.#placed.size >= PLACED_MAX) this.#placed.clear();
    this.#placed.set(position.driverId, key);
    const drivers = driversByCell.get(key);
    if (drivers === undefined) driversByCell.set(key, [position.driverId]);
    else drivers.push(position.driverId);
  }
}
