/**
 * Changes that were read and not yet written, in order, and where in them whole transactions end.
 *
 * Invariant: takeWhole() gives whole transactions only; takeAll() is for one that is larger than
 * the limits and has to be written in steps. A message that is no change does not stop those behind it: it becomes a letter.
 */
import type { IncomingMessage } from '../../shared/kafka/message.ts';
import type { Change } from '../change/envelope.ts';
import { encodingOf } from '../transport/change-reader.ts';
import { unreadableLetter } from './letters.ts';
import type { Delivery, Letter } from './letters.ts';

/** Bytes as the messages have them; decoded they take about five times as much. */
export interface Limits { readonly rows: number; readonly bytes: number }

export interface Taken {
  readonly deliveries: readonly Delivery[];
  readonly unreadable: readonly Letter[];
  readonly next: bigint;
  /** Of the first of them that carries one: the batch counts as its work. */
  readonly traceparent?: string | undefined;
}

/** The change in a message; null for one that holds none of its own, such as a part of a later one. Throws change-malformed. */
export type Decode = (message: IncomingMessage) => Change | null;

export class Pending {
  readonly #limits: Limits;
  readonly #decode: Decode;
  #deliveries: Delivery[] = [];
  #unreadable: Letter[] = [];
  #bytes = 0;
  /** How many of them belong to transactions whose last change is here, and the offset after those. */
  #whole = 0;
  #wholeNext: bigint;
  #read: bigint;
  #traceparent: string | undefined;

  constructor(limits: Limits, first: bigint, decode: Decode) {
    this.#limits = limits;
    this.#read = first;
    this.#wholeNext = first;
    this.#decode = decode;
  }

  /** The lowest offset that may come next; the topic may have holes (compaction, control records). */
  get read(): bigint {
    return this.#read;
  }

  get hasWhole(): boolean {
    return this.#whole > 0 || this.#unreadable.length > 0 && this.#deliveries.length === 0;
  }

  get isFull(): boolean {
    return this.#deliveries.length >= this.#limits.rows || this.#bytes >= this.#limits.bytes;
  }

  add(message: IncomingMessage): void {
    this.#read = message.offset + 1n;
    const change = this.#changeIn(message);
    // A part is done with its change only: a reader that starts over needs it again.
    if (change === null) return;
    const bytes = encodingOf(change) ?? message.value;
    this.#deliveries.push({ change, offset: message.offset, message: bytes });
    this.#bytes += bytes.length;
    this.#traceparent ??= message.headers['traceparent']?.toString('latin1');
    if (!change.last) return;
    this.#whole = this.#deliveries.length;
    this.#wholeNext = this.#read;
  }

  takeWhole(): Taken {
    const rest = this.#deliveries.length - this.#whole;
    const taken = this.#taken(this.#deliveries.slice(0, this.#whole), this.#wholeNext);
    this.#deliveries = this.#deliveries.slice(this.#whole);
    // What is left is the beginning of one transaction: its size is estimated, to be exact would mean to keep each one's.
    this.#bytes = rest === 0 ? 0 : Math.round((this.#bytes * rest) / (rest + this.#whole));
    this.#whole = 0;
    return taken;
  }

  takeAll(): Taken {
    const taken = this.#taken(this.#deliveries, this.#read);
    this.#deliveries = [];
    this.#bytes = 0;
    this.#whole = 0;
    return taken;
  }

  #taken(deliveries: readonly Delivery[], next: bigint): Taken {
    const unreadable = this.#unreadable.filter(({ offset }) => offset < next);
    this.#unreadable = this.#unreadable.filter(({ offset }) => offset >= next);
    const taken = { deliveries, unreadable, next, traceparent: this.#traceparent };
    this.#traceparent = undefined;
    return taken;
  }

  #changeIn(message: IncomingMessage): Change | null {
    try {
      return this.#decode(message);
    } catch (error) {
      this.#unreadable.push(unreadableLetter(message.offset, message.value, error));
      // Nothing of an open transaction is pending: what was read is done with.
      if (this.#deliveries.length === this.#whole) this.#wholeNext = this.#read;
      return null;
    }
  }
}
