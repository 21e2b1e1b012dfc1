/**
 * Changes that were read and not yet written, in order, and where in them whole transactions end.
 *
 * Invariant: takeWhole() gives whole transactions only; takeAll() is for one that is larger than
 * the limits and has to be written in steps.
 */
import { decodeChange } from '../change/codec.ts';
import type { Change } from '../change/envelope.ts';
import type { IncomingMessage } from '../../shared/kafka/message.ts';

export interface Limits { readonly rows: number; readonly bytes: number }
export interface Taken {
  readonly changes: readonly Change[];
  readonly next: bigint;
  /** Of the first of them that carries one: the batch counts as its work. */
  readonly traceparent?: string | undefined;
}

export class Pending {
  readonly #limits: Limits;
  #changes: Change[] = [];
  #bytes = 0;
  /** How many of them belong to transactions whose last change is here, and the offset after those. */
  #whole = 0;
  #wholeNext: bigint;
  #read: bigint;
  #traceparent: string | undefined;

  constructor(limits: Limits, first: bigint) {
    this.#limits = limits;
    this.#read = first;
    this.#wholeNext = first;
  }

  /** The lowest offset that may come next; the topic may have holes (compaction, control records). */
  get read(): bigint {
    return this.#read;
  }

  get hasWhole(): boolean {
    return this.#whole > 0;
  }

  get isFull(): boolean {
    return this.#changes.length >= this.#limits.rows || this.#bytes >= this.#limits.bytes;
  }

  /** Throws change-malformed. */
  add(message: IncomingMessage): void {
    const change = decodeChange(message.value.toString('utf8'));
    this.#changes.push(change);
    this.#bytes += message.value.length;
    this.#read = message.offset + 1n;
    this.#traceparent ??= message.headers['traceparent']?.toString('latin1');
    if (!change.last) return;
    this.#whole = this.#changes.length;
    this.#wholeNext = this.#read;
  }

  takeWhole(): Taken {
    const rest = this.#changes.length - this.#whole;
    const taken = { changes: this.#changes.slice(0, this.#whole), next: this.#wholeNext, traceparent: this.#traceparent };
    this.#traceparent = undefined;
    this.#changes = this.#changes.slice(this.#whole);
    // What is left is the beginning of one transaction: its size is estimated, to be exact would mean to keep each one's.
    this.#bytes = rest === 0 ? 0 : Math.round((this.#bytes * rest) / (rest + this.#whole));
    this.#whole = 0;
    return taken;
  }

  takeAll(): Taken {
    const taken = { changes: this.#changes, next: this.#read, traceparent: this.#traceparent };
    this.#traceparent = undefined;
    this.#changes = [];
    this.#bytes = 0;
    this.#whole = 0;
    return taken;
  }
}
