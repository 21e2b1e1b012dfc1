/**
 * Follows the frames of one direction of a WebSocket connection (RFC 6455 §5.2) without decoding them.
 *
 * Invariant: `isAtBoundary` is true exactly when the bytes seen so far end with a whole frame. Only there may a close frame
 * be put into the stream; anywhere else it would be read as payload. It keeps at most one header (14 bytes).
 */

const HEADER_BYTES_MIN = 2;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BYTES = 4;
/** FIN and opcode 8. */
const CLOSE_OPCODE = 0x88;
const OPCODE_BITS = 0x0f;

export class FrameBoundary {
  #header: number[] = [];
  #payloadLeft = 0n;
  #hasSeenClose = false;

  /** A close frame has passed: the connection is ending by itself. */
  get hasSeenClose(): boolean { return this.#hasSeenClose; }

  get isAtBoundary(): boolean {
    return this.#header.length === 0 && this.#payloadLeft === 0n;
  }

  /** Returns how many bytes of the chunk belong to frames that are whole by now; -1 where no frame ends in it. */
  push(chunk: Uint8Array): number {
    let at = 0;
    let wholeBytes = -1;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0n) {
        const left = BigInt(chunk.length - at);
        const taken = left < this.#payloadLeft ? left : this.#payloadLeft;
        this.#payloadLeft -= taken;
        at += Number(taken);
        if (this.#payloadLeft === 0n) wholeBytes = at;
        continue;
      }
      this.#header.push(chunk[at] as number);
      at += 1;
      if (this.#header.length >= HEADER_BYTES_MIN && this.#header.length === headerBytes(this.#header)) {
        this.#hasSeenClose ||= ((this.#header[0] as number) & OPCODE_BITS) === (CLOSE_OPCODE & OPCODE_BITS);
        this.#payloadLeft = payloadBytes(this.#header);
        this.#header = [];
        if (this.#payloadLeft === 0n) wholeBytes = at;
      }
    }
    return wholeBytes;
  }
}

/** A close frame from a server, unmasked: code and reason (at most 123 bytes of UTF-8). */
export function closeFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason, 'utf8');
  const frame = Buffer.alloc(4 + text.length);
  frame[0] = CLOSE_OPCODE;
  frame[1] = 2 + text.length;
  frame.writeUInt16BE(code, 2);
  text.copy(frame, 4);
  return frame;
}

function headerBytes(header: readonly number[]): number {
  const second = header[1] as number;
  const length = second & 0x7f;
  const extended = length === LENGTH_64 ? 8 : length === LENGTH_16 ? 2 : 0;
  return HEADER_BYTES_MIN + extended + ((second & 0x80) === 0 ? 0 : MASK_BYTES);
}

function payloadBytes(header: readonly number[]): bigint {
  const length = (header[1] as number) & 0x7f;
  if (length < LENGTH_16) return BigInt(length);
  const extended = header.slice(2, length === LENGTH_16 ? 4 : 10);
  return extended.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}
