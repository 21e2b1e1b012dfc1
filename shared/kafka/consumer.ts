import type { TandemError } from '../kernel/tandem-error.ts';
import type { IncomingMessage, PartitionOffsets } from './message.ts';

export interface ConsumedBatch {
  readonly partition: number;
  /** Never empty, in offset order, all at or above the offset asked for. */
  readonly messages: readonly IncomingMessage[];
  readonly highWatermark: bigint;
  /** Read on from `offset`; the rest of this batch is void: return from the handler. */
  seek(offset: bigint): void;
  /** Call between long steps, else the group takes the partition away after sessionTimeoutMs. */
  heartbeat(): Promise<void>;
  /** True once the partition was taken away, or seek was called: stop working on this batch. */
  isStale(): boolean;
}

export interface ConsumerOptions {
  readonly groupId: string;
  readonly topic: string;
  /** The offset to read first, asked for each partition whenever it is assigned; must lie in [low, high]. */
  readonly startAt: (partition: number, offsets: PartitionOffsets) => Promise<bigint>;
  /** A throw is fatal: partitions are not skipped, messages are not retried behind the caller's back. */
  readonly eachBatch: (batch: ConsumedBatch) => Promise<void>;
  /** Called once, after which the consumer does nothing more: let the process exit and start anew. */
  readonly onFatal: (error: TandemError) => void;
  /** Called after each assignment with the partitions this member now reads. */
  readonly onAssigned?: (partitions: readonly number[]) => void;
  /** How many partitions are handled side by side; one partition is always in order. */
  readonly concurrency?: number;
  readonly sessionTimeoutMs?: number;
}

export interface KafkaConsumer {
  /** Resolves once this member has joined its group. */
  start(): Promise<void>;
  stop(): Promise<void>;
}
