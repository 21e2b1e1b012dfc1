import type { LogSink } from '../kernel/log-sink.ts';
import type { ConsumerOptions, KafkaConsumer } from './consumer.ts';
import type { IncomingMessage, PartitionOffsets } from './message.ts';
import type { KafkaProducer } from './producer.ts';

export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: LogSink;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string>>;
}

export interface KafkaClient {
  /** Creates the topic unless it exists; throws kafka-failed where it exists with another number of partitions. */
  ensureTopic(spec: TopicSpec): Promise<void>;
  /** An idempotent producer; connects within its deadline. */
  producer(): Promise<KafkaProducer>;
  consumer(options: ConsumerOptions): KafkaConsumer;
  /** In partition order. Throws not-found for an unknown topic. */
  topicOffsets(topic: string): Promise<PartitionOffsets[]>;
  /** The last `count` messages of one partition, oldest first; fewer where it holds fewer. */
  readLast(topic: string, partition: number, count: number): Promise<IncomingMessage[]>;
  /** The same for all partitions in one go. */
  readTails(topic: string, count: number): Promise<ReadonlyMap<number, IncomingMessage[]>>;
  ping(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
}

export function openKafka(_config: KafkaConfig): KafkaClient {
  throw new Error('under way');
}
