/**
 * How far a stream has come: a GTID position that grows by one transaction at a time, as text.
 *
 * Invariant: text() is a position to resume from without missing or repeating anything; undefined until it is known what
 * came before the stream. Asked for each transaction, so only what changed is printed anew.
 */
import { addGtid, formatPosition, parsePosition } from '../../change/position.ts';
import type { Position } from '../../change/position.ts';

export class PositionTracker {
  #position: Position | undefined;
  #text: string | undefined;

  constructor(start: string | undefined) {
    this.#position = start === undefined ? undefined : parsePosition(start);
  }

  /** What came before the stream, where it began with a file; nothing where that is known. */
  seed(position: Position): void {
    this.#position ??= position;
  }

  add(gtid: string): void {
    if (this.#position === undefined) return;
    this.#position = addGtid(this.#position, gtid);
    this.#text = undefined;
  }

  get text(): string | undefined {
    return this.#position === undefined ? undefined : (this.#text ??= formatPosition(this.#position));
  }
}
