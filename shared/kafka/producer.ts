import type { OutgoingMessage } from './message.ts';

export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly OutgoingMessage[];
}

/** Where a batch came to lie: baseOffset is the offset of its first message. */
export interface SendReceipt {
  readonly topic: string;
  readonly partition: number;
  readonly baseOffset: bigint;
}

export interface KafkaProducer {
  /** Appends all batches with acks=all; one call in flight at a time, later ones queue in order. */
  send(batches: readonly PartitionBatch[], options?: { readonly deadlineMs?: number }): Promise<SendReceipt[]>;
  close(): Promise<void>;
}
