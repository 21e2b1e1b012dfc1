/** Packets come out whole and in order, however the socket cuts them, and wait while the reader is paused. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketReader } from '../../../shared/mysql/packet-reader.ts';

const PIECE_MAX = 0xff_ff_ff;

/** As a server sends them: pieces of up to 16 MiB, each with its header; the last one is shorter, if need be empty. */
function framed(payloads: readonly Buffer[]): Buffer {
  let sequence = 1;
  const pieces = payloads.flatMap((payload) => Array.from({ length: Math.floor(payload.length / PIECE_MAX) + 1 }, (_, i) => {
    const piece = payload.subarray(i * PIECE_MAX, (i + 1) * PIECE_MAX);
    const header = Buffer.alloc(4);
    header.writeUIntLE(piece.length, 0, 3);
    header.writeUInt8(sequence, 3);
    sequence = (sequence + 1) & 0xff;
    return [header, piece];
  }));
  return Buffer.concat(pieces.flat());
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length] ?? bytes.length;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

const payload = fc.uint8Array({ minLength: 1, maxLength: 400 }).map((bytes) => Buffer.from(bytes));
const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 9 });

describe('the packet reader', () => {
  it('gives each packet whole, wherever the chunks end', () => {
    fc.assert(fc.property(fc.array(payload, { maxLength: 300 }), sizes, (payloads, chunkSizes) => {
      const got: Buffer[] = [];
      const reader = new PacketReader((bytes, start, end) => got.push(Buffer.from(bytes.subarray(start, end))));
      for (const chunk of cut(framed(payloads), chunkSizes)) reader.accept(chunk);
      expect(got).toEqual(payloads);
    }));
  });

  it('hands nothing over while it is paused, and everything after', () => {
    fc.assert(fc.property(fc.array(payload, { minLength: 1, maxLength: 40 }), sizes, fc.nat({ max: 39 }), (payloads, chunkSizes, pauseAt) => {
      const got: Buffer[] = [];
      const reader: PacketReader = new PacketReader((bytes, start, end) => {
        got.push(Buffer.from(bytes.subarray(start, end)));
        if (got.length === pauseAt) reader.isPaused = true;
      });
      for (const chunk of cut(framed(payloads), chunkSizes)) reader.accept(chunk);
      if (pauseAt > 0 && pauseAt <= payloads.length) expect(got).toHaveLength(pauseAt);
      reader.isPaused = false;
      reader.accept(Buffer.alloc(0));
      expect(got).toEqual(payloads);
    }));
  });

  it.each([PIECE_MAX - 1, PIECE_MAX, PIECE_MAX + 1, 2 * PIECE_MAX, 2 * PIECE_MAX + 12_345])('a packet of %i bytes is joined', (length) => {
    const large = Buffer.alloc(length, 'abcdefg');
    const got: Buffer[] = [];
    const reader = new PacketReader((bytes, start, end) => got.push(Buffer.from(bytes.subarray(start, end))));
    for (const chunk of cut(framed([Buffer.from('before'), large, Buffer.from('after')]), [65_536])) reader.accept(chunk);
    expect(got.map((each) => each.length)).toEqual([6, length, 5]);
    expect(got[1]?.equals(large)).toBe(true);
  });

  it('a packet out of sequence is not taken for the next one', () => {
    const reader = new PacketReader(() => {});
    expect(() => reader.accept(framed([Buffer.from('a')]).fill(7, 3, 4))).toThrow(/sequence|due/);
  });
});
