/**
 * Reads a row's bytes and writes its JSON: one cursor on each, and the primitives that columns are made of.
 *
 * Why so low: capture's budget is some microseconds a row of thirty columns, in which no string and no object fits.
 * Invariants: whoever writes has reserved the room before (begin, reserve); what end() gave is never written to again. The memory
 * is cut from slabs: a small image keeps its whole slab alive for as long as somebody holds the image.
 */
const SLAB_BYTES = 64 * 1024;
const [QUOTE, BACKSLASH, ZERO, MINUS] = [0x22, 0x5c, 0x30, 0x2d];
const HEX = Buffer.from('0123456789abcdef');
/** What follows the backslash of a control character that has a short form. */
const SHORT_ESCAPES = new Map([[0x08, 0x62], [0x09, 0x74], [0x0a, 0x6e], [0x0c, 0x66], [0x0d, 0x72]]);
const UNICODE_ESCAPE_BYTES = 6;
/** Up to here room for the worst case is reserved; above it the bytes are counted first. */
const COUNTED_FROM_BYTES = 4 * 1024;
const BASE64 = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const BASE64_OPEN = Buffer.from('{"$b64":"');
const BASE64_CLOSE = Buffer.from('"}');
/** Divisible by 3, so that chunks of it need no padding. */
const BASE64_CHUNK_BYTES = 48 * 1024;
const BILLION = 1_000_000_000;

export class RowText {
  /** The event's bytes and the next one to read. */
  src: Buffer = Buffer.alloc(0);
  pos = 0;
  /** The slab and the next byte to write. */
  out: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  at = 0;
  /** Bytes that whoever reserves leaves to those after him in the same row. */
  #room = 0;
  #start = 0;

  /** `room`: what is written in this row without having been reserved. */
  begin(room: number): void {
    this.#start = this.at;
    this.#room = room;
    this.reserve(0);
  }

  /** What was written since begin(). */
  end(): Buffer {
    return this.out.subarray(this.#start, this.at);
  }

  reserve(bytes: number): void {
    const wanted = bytes + this.#room;
    if (this.at + wanted <= this.out.length) return;
    const written = this.at - this.#start;
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, written + wanted));
    this.out.copy(slab, 0, this.#start, this.at);
    this.out = slab;
    this.at = written;
    this.#start = 0;
  }

  byte(value: number): void {
    this.out[this.at++] = value;
  }

  /** Short constants: names, members, null. */
  raw(bytes: Uint8Array): void {
    const { out } = this;
    let { at } = this;
    for (let i = 0; i < bytes.length; i += 1) out[at++] = bytes[i] as number;
    this.at = at;
  }

  ascii(text: string): void {
    this.at += this.out.write(text, this.at, 'latin1');
  }

  /** A whole number from 0 up to 2^53. Takes up to 16 bytes. */
  digits(value: number): void {
    if (value >= BILLION) {
      const rest = Math.floor(value / BILLION);
      this.digits(rest);
      this.padded(value - rest * BILLION, 9);
      return;
    }
    let width = 1;
    for (let limit = 10; value >= limit; limit *= 10) width += 1;
    this.padded(value, width);
  }

  /** Exactly `width` digits, zeros in front; below 2^31. */
  padded(value: number, width: number): void {
    const { out } = this;
    let left = value | 0;
    for (let i = this.at + width - 1; i >= this.at; i -= 1) {
      const rest = (left / 10) | 0;
      out[i] = ZERO + left - rest * 10;
      left = rest;
    }
    this.at += width;
  }

  /** A 64-bit integer by its halves, in quotes. Takes up to 22 bytes. */
  bigint(high: number, low: number, unsigned: boolean): void {
    let [hi, lo] = [high >>> 0, low >>> 0];
    this.out[this.at++] = QUOTE;
    if (!unsigned && hi >= 0x8000_0000) {
      this.out[this.at++] = MINUS;
      hi = (~hi + (lo === 0 ? 1 : 0)) >>> 0;
      lo = -lo >>> 0;
    }
    // Long division by 10^9 in steps of 16 bits: each intermediate stays below 2^53.
    const top = Math.floor(hi / BILLION);
    let rest = (hi - top * BILLION) * 65_536 + (lo >>> 16);
    const middle = Math.floor(rest / BILLION);
    rest = (rest - middle * BILLION) * 65_536 + (lo & 0xffff);
    const bottom = Math.floor(rest / BILLION);
    rest -= bottom * BILLION;
    const quotient = top * 4_294_967_296 + middle * 65_536 + bottom;
    if (quotient === 0) this.digits(rest);
    else {
      this.digits(quotient);
      this.padded(rest, 9);
    }
    this.out[this.at++] = QUOTE;
  }

  /** The UTF-8 bytes of the event from `start` to `end` as a JSON string. Reserves what it needs. */
  utf8(src: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.reserve(2 + (length < COUNTED_FROM_BYTES ? length * UNICODE_ESCAPE_BYTES : escapedLength(src, start, end)));
    const { out } = this;
    let { at } = this;
    out[at++] = QUOTE;
    for (let i = start; i < end; i += 1) {
      const byte = src[i] as number;
      if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) {
        out[at++] = byte;
        continue;
      }
      out[at++] = BACKSLASH;
      const short = byte < 0x20 ? SHORT_ESCAPES.get(byte) : byte;
      if (short !== undefined) out[at++] = short;
      else {
        at += out.write('u00', at, 'latin1');
        out[at++] = ZERO + (byte >> 4);
        out[at++] = HEX[byte & 15] as number;
      }
    }
    out[at++] = QUOTE;
    this.at = at;
  }

  /** A text that is no UTF-8 yet, as a JSON string. Reserves what it needs. */
  text(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    this.utf8(bytes, 0, bytes.length);
  }

  /** {"$b64":"…"} of `bytes` and of `zeros` more that the binlog left out. Reserves what it needs. */
  base64(src: Buffer, start: number, end: number, zeros = 0): void {
    if (zeros > 0) {
      const padded = Buffer.alloc(end - start + zeros);
      src.copy(padded, 0, start, end);
      this.base64(padded, 0, padded.length);
      return;
    }
    this.reserve(BASE64_OPEN.length + BASE64_CLOSE.length + Math.ceil((end - start) / 3) * 4);
    this.raw(BASE64_OPEN);
    let from = start;
    for (; end - from > BASE64_CHUNK_BYTES; from += BASE64_CHUNK_BYTES) this.ascii(src.toString('base64', from, from + BASE64_CHUNK_BYTES));
    if (end - from > 256) this.ascii(src.toString('base64', from, end));
    else this.#shortBase64(src, from, end);
    this.raw(BASE64_CLOSE);
  }

  #shortBase64(src: Buffer, start: number, end: number): void {
    const { out } = this;
    for (let i = start; i < end; i += 3) {
      const [a, b, c] = [src[i] as number, i + 1 < end ? (src[i + 1] as number) : 0, i + 2 < end ? (src[i + 2] as number) : 0];
      out[this.at++] = BASE64[a >> 2] as number;
      out[this.at++] = BASE64[((a & 3) << 4) | (b >> 4)] as number;
      out[this.at++] = i + 1 < end ? (BASE64[((b & 15) << 2) | (c >> 6)] as number) : 0x3d;
      out[this.at++] = i + 2 < end ? (BASE64[c & 63] as number) : 0x3d;
    }
  }
}

function escapedLength(src: Uint8Array, start: number, end: number): number {
  let length = end - start;
  for (let i = start; i < end; i += 1) {
    const byte = src[i] as number;
    if (byte < 0x20) length += SHORT_ESCAPES.has(byte) ? 1 : UNICODE_ESCAPE_BYTES - 1;
    else if (byte === QUOTE || byte === BACKSLASH) length += 1;
  }
  return length;
}
