/** Topics: creation that bears a race, and where their partitions begin and end. */
import type { Admin } from 'kafkajs';
import { sleep } from '../kernel/deadline.ts';
import { retry } from '../kernel/retry.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import { translateKafkaError } from './kafka-errors.ts';
import type { PartitionOffsets } from './message.ts';
import type { KafkaSession } from './session.ts';

const ADMIN_DEADLINE_MS = 10_000;
const LEADER_POLL_MS = 50;
/** A broker may be named the leader of a new partition a moment before it knows; the deadline ends this earlier. */
const LEADER_RETRY = { attempts: 50, baseMs: 50, maxMs: 500 } as const;

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  /** 1 by default: one broker a region locally. */
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string>>;
}

/** Returns once every partition has a leader, whoever created the topic. */
export function ensureTopic(admin: KafkaSession<Admin>, spec: TopicSpec): Promise<void> {
  const { topic, partitions, replicationFactor = 1, configs = {} } = spec;
  return admin.use(`create topic ${topic}`, ADMIN_DEADLINE_MS, async (client, leftMs) => {
    // False where it exists, also where another creator was a moment faster.
    await client.createTopics({
      waitForLeaders: false,
      timeout: Math.ceil(leftMs()),
      topics: [{
        topic, numPartitions: partitions, replicationFactor,
        configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
      }],
    });
    for (;;) {
      const found = await leadersOf(client, topic);
      if (found !== undefined && found.length !== partitions) {
        throw new TandemError('kafka-failed', `topic ${topic} has ${found.length} partitions, ${partitions} are wanted`, {
          details: { topic, partitions: found.length, wanted: partitions },
        });
      }
      if (found?.every((leader) => leader >= 0) === true) break;
      await sleep(LEADER_POLL_MS);
    }
    await offsetsOf(client, topic);
  });
}

/** In partition order. Throws kafka-failed for an unknown topic. */
export function topicOffsets(admin: KafkaSession<Admin>, topic: string): Promise<PartitionOffsets[]> {
  return admin.use(`offsets of ${topic}`, ADMIN_DEADLINE_MS, async (client) => {
    // Asked first: for a topic that is not there the offsets call would retry till the deadline.
    if (await leadersOf(client, topic) === undefined) throw new TandemError('kafka-failed', `there is no topic ${topic}`, { details: { topic } });
    return offsetsOf(client, topic);
  });
}

function offsetsOf(client: Admin, topic: string): Promise<PartitionOffsets[]> {
  return retry(async () => {
    try {
      const offsets = await client.fetchTopicOffsets(topic);
      return offsets
        .map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }))
        .toSorted((a, b) => a.partition - b.partition);
    } catch (e) {
      // kafkajs trips over an answer without the topic, which a broker may give while its leader is new.
      if (e instanceof TypeError) throw new TandemError('kafka-unavailable', `offsets of ${topic}: the broker does not name it yet`, { cause: e });
      throw translateKafkaError(e, `offsets of ${topic}`);
    }
  }, LEADER_RETRY);
}

/** The leader of each partition, -1 where there is none yet; undefined where the topic is unknown. */
async function leadersOf(client: Admin, topic: string): Promise<number[] | undefined> {
  const names = await client.listTopics();
  if (!names.includes(topic)) return undefined;
  const { topics } = await client.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.map(({ leader }) => leader);
}
