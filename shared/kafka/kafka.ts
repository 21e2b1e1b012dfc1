/**
 * The one way to reach Kafka; kafkajs is not seen outside of this folder.
 *
 * Invariant: every call settles by a deadline and throws TandemErrors only (kafka-*, deadline-exceeded). Nothing here
 * knows what a message means.
 */
import { KafkaSession } from './session.ts';
import type { Admin } from 'kafkajs';
import { createConsumer } from './consumer.ts';
import type { ConsumerOptions, KafkaConsumer } from './consumer.ts';
import type { KafkaConfig } from './link.ts';
import type { IncomingMessage, PartitionOffsets } from './message.ts';
import { startProducer } from './producer.ts';
import type { KafkaProducer } from './producer.ts';
import { readTails } from './tail.ts';
import { ensureTopic, topicOffsets } from './topics.ts';
import type { TopicSpec } from './topics.ts';

export type { KafkaConfig } from './link.ts';

export interface KafkaClient {
  /** Creates the topic unless it exists; throws kafka-failed where it exists with another number of partitions. */
  ensureTopic(spec: TopicSpec): Promise<void>;
  /** An idempotent producer, connected. */
  producer(): Promise<KafkaProducer>;
  consumer(options: ConsumerOptions): KafkaConsumer;
  /** In partition order. Throws kafka-failed for an unknown topic. */
  topicOffsets(topic: string): Promise<PartitionOffsets[]>;
  /** The last `count` messages of one partition, oldest first; fewer where it holds fewer. */
  readLast(topic: string, partition: number, count: number): Promise<IncomingMessage[]>;
  /** The same for all partitions in one go. */
  readTails(topic: string, count: number): Promise<ReadonlyMap<number, IncomingMessage[]>>;
  ping(deadlineMs: number): Promise<void>;
  /** Closes what the client itself opened; producers and consumers are closed by their owners. */
  close(): Promise<void>;
}

/** Connects on first use; nothing is thrown here. */
export function openKafka(config: KafkaConfig): KafkaClient {
  const admin = new KafkaSession<Admin>(config, (kafka) => kafka.admin());
  return {
    ensureTopic: (spec) => ensureTopic(admin, spec),
    producer: () => startProducer(config),
    consumer: (options) => createConsumer(config, admin, options),
    topicOffsets: (topic) => topicOffsets(admin, topic),
    readLast: async (topic, partition, count) => {
      const tails = await readTails({ config, admin }, topic, count, (each) => each === partition);
      return tails.get(partition) ?? [];
    },
    readTails: (topic, count) => readTails({ config, admin }, topic, count, () => true),
    ping: async (deadlineMs) => void (await admin.use('ping', deadlineMs, (client) => client.describeCluster())),
    close: () => admin.close(),
  };
}
