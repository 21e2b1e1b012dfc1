/**
 * Issues ids of one node within a window of time reserved for it alone.
 *
 * Invariant: ids strictly increase, whatever the clock does; and none is dated outside [floorMs, ceilingMs). As windows of
 * one node never overlap (leased-ids.ts reserves them), no id repeats under any clock, pause or restart.
 * It is pure: it reserves nothing and waits for nothing.
 *
 * A clock that stalls or steps back: ids go on at the last millisecond, and from sequence 4095 into the next one.
 * A clock ahead of the window: no ids, rather than ids of a time that another may own. When it is back, so are they.
 */
import { assert } from '../kernel/assert.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import { END_MS, EPOCH_MS, packId, SEQUENCE_MAX } from './id-layout.ts';
import type { TandemId } from './id-layout.ts';

export class IdGenerator {
  readonly #region: number;
  readonly #node: number;
  readonly #nowMs: () => number;
  /** The millisecond of the next id at the earliest, and its sequence there. */
  #ms: number;
  #sequence = 0;
  #ceilingMs: number;

  /** @param options region: the origin number; floorMs, ceilingMs: the reserved window, ms since 1970, end excluded */
  constructor(options: { region: number; node: number; nowMs: () => number; floorMs: number; ceilingMs: number }) {
    const { region, node, nowMs, floorMs, ceilingMs } = options;
    assert(floorMs >= EPOCH_MS && floorMs <= ceilingMs && ceilingMs <= END_MS, `bad id window [${floorMs}, ${ceilingMs})`);
    this.#region = region;
    this.#node = node;
    this.#nowMs = nowMs;
    this.#ms = floorMs;
    this.#ceilingMs = ceilingMs;
  }

  get ceilingMs(): number {
    return this.#ceilingMs;
  }

  /** How much of the window lies ahead; 0 when ids have run out. */
  get remainingMs(): number {
    return Math.max(0, this.#ceilingMs - Math.max(this.#ms, Math.floor(this.#nowMs())));
  }

  /** The first millisecond in which nothing has been issued: what comes after may be handed back. */
  get unusedFromMs(): number {
    return this.#sequence === 0 ? this.#ms : this.#ms + 1;
  }

  /** Throws id-window-exhausted; the next call may succeed again, after extend() or when the clock is set right. */
  next(): TandemId {
    const wallMs = Math.floor(this.#nowMs());
    const ahead = wallMs > this.#ms;
    const ms = ahead ? wallMs : this.#ms;
    if (ms >= this.#ceilingMs) throw exhausted(this.#ceilingMs, wallMs);
    const sequence = ahead ? 0 : this.#sequence;
    const last = sequence === SEQUENCE_MAX;
    this.#ms = last ? ms + 1 : ms;
    this.#sequence = last ? 0 : sequence + 1;
    return packId({ ms, region: this.#region, node: this.#node, sequence });
  }

  /** Moves the end of the window, once [old end, new end) has been reserved. */
  extend(ceilingMs: number): void {
    assert(ceilingMs >= this.#ceilingMs && ceilingMs <= END_MS, `an id window only grows: ${this.#ceilingMs}, ${ceilingMs}`);
    this.#ceilingMs = ceilingMs;
  }
}

function exhausted(ceilingMs: number, wallMs: number): TandemError {
  const message = `ids are reserved until ${new Date(ceilingMs).toISOString()} and no further`;
  return new TandemError('id-window-exhausted', message, { details: { ceilingMs, wallMs } });
}
