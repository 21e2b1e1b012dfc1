export interface KafkaHeaders { readonly [name: string]: string | Buffer | undefined }

export interface OutgoingMessage {
  readonly key: string;
  readonly value: string | Buffer;
  readonly headers?: KafkaHeaders;
}

export interface IncomingMessage {
  readonly offset: bigint;
  readonly key: string | null;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, Buffer | undefined>>;
  /** When the broker or the producer stamped it, ms since 1970. */
  readonly timestampMs: number;
}

/** low: the first offset still kept; high: the offset the next message will get. low == high: empty. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}
