/**
 * Chunks of a socket → the protocol's packets, those over 16 MiB joined.
 *
 * Invariants: a packet is handed over in one piece and in order; its bytes are valid for the time of the call. What fits a
 * chunk is not copied; a large packet is collected in one buffer, which is kept for the next large one while they keep
 * coming. While paused nothing is handed over: what has been received waits.
 * Pure: the socket is the caller's.
 */
import { assert } from '../kernel/assert.ts';

/** Three bytes of length, one of sequence. */
export const HEADER_BYTES = 4;
/** A packet of this length goes on in the next one. */
const LENGTH_MAX = 0xff_ff_ff;
/** A collecting buffer is let go when this many packets in a row did not need it. */
const UNUSED_MAX = 64;
const COLLECTED_BYTES_MIN = 64 * 1024;
/** A row of two images of 16 MiB is a little more than two pieces. What is not written to takes no memory. */
const HEADROOM_BYTES = 1024 * 1024;
const EMPTY = Buffer.alloc(0);

type OnPacket = (bytes: Buffer, start: number, end: number) => void;

export class PacketReader {
  readonly #onPacket: OnPacket;
  isPaused = false;
  /** Received, not yet looked at. */
  #rest: Buffer = EMPTY;
  /** Of a packet that is being collected: the buffer, how far it is filled, and how much of the current piece is missing. */
  #collecting: Buffer = EMPTY;
  #filled = 0;
  #missing = 0;
  #goesOn = false;
  #sequence = 1;
  #unused = 0;

  constructor(onPacket: OnPacket) {
    this.#onPacket = onPacket;
  }

  /** Asserts that packets come in sequence. */
  accept(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = EMPTY;
    let at = 0;
    while (!this.isPaused) {
      if (this.#missing > 0) {
        const taken = Math.min(this.#missing, bytes.length - at);
        this.#collect(bytes, at, at + taken);
        at += taken;
        this.#missing -= taken;
        if (this.#missing > 0) break;
        if (!this.#goesOn) this.#handOver();
        continue;
      }
      if (bytes.length - at < HEADER_BYTES) break;
      const length = bytes.readUIntLE(at, 3);
      const sequence = bytes[at + 3];
      assert(sequence === this.#sequence, `packet ${sequence} of a stream came where ${this.#sequence} was due`);
      this.#sequence = (this.#sequence + 1) & 0xff;
      at += HEADER_BYTES;
      const isWhole = !this.#goesOn && length < LENGTH_MAX && bytes.length - at >= length;
      if (isWhole) {
        this.#letGo();
        at += length;
        this.#onPacket(bytes, at - length, at);
        continue;
      }
      this.#goesOn = length === LENGTH_MAX;
      this.#missing = length;
      // The last piece of a large packet may be empty.
      if (length === 0) this.#handOver();
    }
    if (at < bytes.length) this.#rest = bytes.subarray(at);
  }

  #collect(bytes: Buffer, from: number, to: number): void {
    const wanted = this.#filled + (to - from);
    if (wanted > this.#collecting.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(COLLECTED_BYTES_MIN, this.#filled + this.#missing, this.#goesOn ? 2 * (this.#filled + this.#missing) + HEADROOM_BYTES : 0));
      this.#collecting.copy(grown, 0, 0, this.#filled);
      this.#collecting = grown;
    }
    bytes.copy(this.#collecting, this.#filled, from, to);
    this.#filled = wanted;
  }

  #handOver(): void {
    const length = this.#filled;
    this.#filled = 0;
    this.#unused = 0;
    this.#onPacket(this.#collecting, 0, length);
  }

  #letGo(): void {
    this.#unused += 1;
    if (this.#unused > UNUSED_MAX) this.#collecting = EMPTY;
  }
}
