/**
 * The last known position of each driver, in process, and who is told when one moves.
 * Invariant: a position only ever replaces one that was seen earlier; the board holds at most DRIVERS_MAX drivers, and
 * drops those not seen for FRESH_MS on each sweep. It is a cache: Redis holds the region's truth, this is what is
 * left of it when Redis is gone.
 */
import { FRESH_MS } from './cells.ts';
import type { Position } from './position.ts';

/** Past this the longest unseen drivers are forgotten first. Some 150 bytes each. */
export const DRIVERS_MAX = 200_000;
/** Subscribers of one driver; a ride's rider and a few who share the trip. */
export const SUBSCRIBERS_MAX = 64;

export class PositionBoard {
  /** In order of sight: a driver seen again moves to the end. */
  readonly #last = new Map<string, Position>();
  readonly #subscribers = new Map<string, Set<(position: Position) => void>>();

  get size(): number {
    return this.#last.size;
  }

  get subscriberCount(): number {
    let count = 0;
    for (const subscribers of this.#subscribers.values()) count += subscribers.size;
    return count;
  }

  /** Takes a position unless a later one is known; tells the driver's subscribers. True if it was news. */
  put(position: Position): boolean {
    const known = this.#last.get(position.driverId);
    if (known !== undefined && isOlderOrSame(position, known)) return false;
    this.#last.delete(position.driverId);
    this.#last.set(position.driverId, position);
    if (this.#last.size > DRIVERS_MAX) this.#last.delete(this.#last.keys().next().value!);
    const subscribers = this.#subscribers.get(position.driverId);
    if (subscribers !== undefined) for (const tell of subscribers) tell(position);
    return true;
  }

  /** The driver's position if it is fresh. */
  fresh(driverId: string, nowMs: number): Position | undefined {
    const known = this.#last.get(driverId);
    return known !== undefined && nowMs - known.seenMs <= FRESH_MS ? known : undefined;
  }

  /** All fresh positions, in no order that means anything. */
  *allFresh(nowMs: number): Generator<Position> {
    for (const position of this.#last.values()) if (nowMs - position.seenMs <= FRESH_MS) yield position;
  }

  /** Calls back with each new position of the driver until the returned function is called; undefined at the limit. */
  subscribe(driverId: string, tell: (position: Position) => void): (() => void) | undefined {
    const subscribers = this.#subscribers.get(driverId) ?? new Set();
    if (subscribers.size >= SUBSCRIBERS_MAX) return undefined;
    this.#subscribers.set(driverId, subscribers.add(tell));
    return () => {
      subscribers.delete(tell);
      if (subscribers.size === 0 && this.#subscribers.get(driverId) === subscribers) this.#subscribers.delete(driverId);
    };
  }

  /** Forgets who is no longer fresh. */
  sweep(nowMs: number): void {
    for (const [driverId, position] of this.#last) {
      if (nowMs - position.seenMs <= FRESH_MS) break;
      this.#last.delete(driverId);
    }
  }
}

function isOlderOrSame(position: Position, known: Position): boolean {
  return position.seenMs < known.seenMs || (position.seenMs === known.seenMs && position.atMs <= known.atMs);
}
