/**
 * Who is near a place, and where given drivers are.
 * Invariant: every position told is fresh, within the radius, and each driver stands in the answer once, where it was
 * seen last: the cells only say who may be near, the last position says where. With Redis gone the board answers
 * instead (this process's own drivers, and what it had read before): older or fewer, never an error.
 */
import { withDeadline } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import type { Redis } from '../../../shared/redis/redis.ts';
import { greatCircleM } from '../../../shared/unit/place.ts';
import type { Place } from '../../../shared/unit/place.ts';
import { FRESH_BUCKETS, FRESH_MS, bucketOf, cellOf, ringFloorM, ringOf } from '../domain/cells.ts';
import type { PositionBoard } from '../domain/position-board.ts';
import type { Position } from '../domain/position.ts';
import { decodePosition } from './position-codec.ts';
import { cellKey, lastPositionKey } from './redis-keys.ts';

export const LIMIT_MAX = 200;
export const RADIUS_M_MAX = 20_000;
/** Drivers looked at in one search; beyond it a crowd answers for itself. */
export const CANDIDATES_MAX = 5_000;

/** Redis may take so long for one question, then the board answers… */
const REDIS_DEADLINE_MS = 300;
/** …and goes on answering for so long, so that a dead Redis does not slow every question down. */
const REDIS_PAUSE_MS = 1_000;

export type Near = { readonly position: Position; readonly distanceM: number };
export type NearQuery = { readonly place: Place; readonly limit: number; readonly radiusM: number };

export class NearDrivers {
  readonly #redis: Redis;
  readonly #board: PositionBoard;
  readonly #log: LogSink;
  readonly #nowMs: () => number;
  readonly #onFallback: () => void;
  #boardUntilMs = 0;

  constructor(options: {
    readonly redis: Redis;
    readonly board: PositionBoard;
    readonly log: LogSink;
    readonly nowMs: () => number;
    readonly onFallback: () => void;
  }) {
    this.#redis = options.redis;
    this.#board = options.board;
    this.#log = options.log;
    this.#nowMs = options.nowMs;
    this.#onFallback = options.onFallback;
  }

  /** Nearest first, at most `limit`, within `radiusM` great-circle metres. */
  nearest(query: NearQuery): Promise<Near[]> {
    return this.#fromRedis(() => this.#searchCells(query), () => this.#searchBoard(query));
  }

  /** The fresh positions among these drivers. */
  async positions(driverIds: readonly string[]): Promise<Position[]> {
    if (driverIds.length === 0) return [];
    return this.#fromRedis(
      () => this.#lastOf(driverIds),
      () => driverIds.map((id) => this.#board.fresh(id, this.#nowMs())).filter((position) => position !== undefined),
    );
  }

  /**
   * Ring by ring outwards until what was found is nearer than anything further out can be. Each round trip asks for as
   * many rings as all before it (at least two): few trips where drivers are rare, few cells where they are many.
   */
  async #searchCells({ place, limit, radiusM }: NearQuery): Promise<Near[]> {
    const origin = cellOf(place);
    const seen = new Set<string>();
    const found: Near[] = [];
    for (let k = 0, width = 2; ; k += width, width = Math.max(2, k)) {
      const rings = Array.from({ length: width }, (_, i) => ringOf(origin, k + i));
      const drivers = (await this.#driversIn(rings.flat())).filter((id) => !seen.has(id));
      for (const id of drivers) seen.add(id);
      for (const position of drivers.length > 0 ? await this.#lastOf(drivers) : []) {
        const metres = greatCircleM(place, position);
        if (metres <= radiusM) found.push({ position, distanceM: metres });
      }
      found.sort((a, b) => a.distanceM - b.distanceM);
      const floorM = ringFloorM(origin, k + width);
      const isEnough = found.length >= limit && found[limit - 1]!.distanceM <= floorM;
      if (isEnough || floorM > radiusM || seen.size >= CANDIDATES_MAX) return found.slice(0, limit);
    }
  }

  async #driversIn(cells: readonly string[]): Promise<string[]> {
    const newest = bucketOf(this.#nowMs());
    const keys: string[] = [];
    for (const cell of cells) for (let age = 0; age < FRESH_BUCKETS; age += 1) keys.push(cellKey(cell, newest - age));
    return this.#redis.sunion(...keys);
  }

  async #lastOf(driverIds: readonly string[]): Promise<Position[]> {
    const texts = await this.#redis.mget(...driverIds.map(lastPositionKey));
    const freshFromMs = this.#nowMs() - FRESH_MS;
    return texts
      .map((text) => (text === null ? undefined : decodePosition(text)))
      .filter((position) => position !== undefined && position.seenMs >= freshFromMs) as Position[];
  }

  #searchBoard({ place, limit, radiusM }: NearQuery): Near[] {
    const found: Near[] = [];
    for (const position of this.#board.allFresh(this.#nowMs())) {
      const metres = greatCircleM(place, position);
      if (metres <= radiusM) found.push({ position, distanceM: metres });
    }
    return found.toSorted((a, b) => a.distanceM - b.distanceM).slice(0, limit);
  }

  async #fromRedis<T>(ask: () => Promise<T>, fallback: () => T): Promise<T> {
    if (this.#nowMs() >= this.#boardUntilMs) {
      try {
        return await withDeadline('asking Redis for positions', REDIS_DEADLINE_MS, ask);
      } catch (err) {
        this.#boardUntilMs = this.#nowMs() + REDIS_PAUSE_MS;
        this.#log.debug({ err }, 'Redis did not answer: telling what this process knows');
      }
    }
    this.#onFallback();
    return fallback();
  }
}
