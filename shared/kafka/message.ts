/** Messages as the rest of Tandem sees them: offsets are bigint, keys text, values bytes. */
import type { KafkaMessage } from 'kafkajs';

export interface OutgoingMessage {
  readonly key: string;
  readonly value: string | Buffer;
  readonly headers?: Readonly<Record<string, string | Buffer>>;
}

export interface IncomingMessage {
  readonly offset: bigint;
  readonly key: string | null;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, Buffer>>;
  /** When the producer stamped it, ms since 1970. */
  readonly timestampMs: number;
}

/** low: the first offset still kept; high: the offset that the next message will get. low == high: empty. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

const EMPTY = Buffer.alloc(0);

export function toIncoming(message: KafkaMessage): IncomingMessage {
  return {
    offset: BigInt(message.offset),
    key: message.key === null ? null : message.key.toString(),
    // Tandem writes no null values; to a reader one is an empty text, which no codec takes for a change.
    value: message.value ?? EMPTY,
    headers: lastOfEach(message.headers ?? {}),
    timestampMs: Number(message.timestamp),
  };
}

/** A header may be repeated; the last one counts, as with the Java client's lastHeader. */
function lastOfEach(headers: NonNullable<KafkaMessage['headers']>): Record<string, Buffer> {
  const result: Record<string, Buffer> = {};
  for (const [name, given] of Object.entries(headers)) {
    const value = Array.isArray(given) ? given.at(-1) : given;
    if (value !== undefined) result[name] = Buffer.from(value);
  }
  return result;
}
