/**
 * A cursor over the bytes of one event: the integers and strings that binlogs are made of.
 *
 * Invariant: it never reads past `end`; an event that says it is longer than it is throws capture-unreadable.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

const NULL_MARK = 251;

export class ByteReader {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** The position before `length` bytes, which are passed over. */
  skip(length: number): number {
    const { at } = this;
    if (length < 0 || at + length > this.end) throw new TandemError('capture-unreadable', `a binlog event ends ${at + length - this.end} bytes too early`);
    this.at = at + length;
    return at;
  }

  u8(): number {
    return this.bytes[this.skip(1)] as number;
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.skip(2));
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.skip(4));
  }

  u48(): number {
    return this.bytes.readUIntLE(this.skip(6), 6);
  }

  u64(): bigint {
    return this.bytes.readBigUInt64LE(this.skip(8));
  }

  /** The protocol's length-encoded integer. */
  lengthEncoded(): number {
    const first = this.u8();
    if (first < NULL_MARK) return first;
    if (first === 252) return this.u16();
    if (first === 253) return this.bytes.readUIntLE(this.skip(3), 3);
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new TandemError('capture-unreadable', `a binlog event tells of a length of ${value}`);
    return Number(value);
  }

  /** A view of the event's own memory: copy what is to outlive the event. */
  slice(length: number): Buffer {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  text(length: number): string {
    const at = this.skip(length);
    return this.bytes.toString('utf8', at, at + length);
  }
}
