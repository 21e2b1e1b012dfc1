/**
 * Reads the newest messages of a topic: how a writer finds out where it was.
 *
 * Invariant: the answer holds everything that was acknowledged before the call. It reads through a consumer group of its
 * own, made for the call and deleted after it, because kafkajs has no other way to fetch.
 */
import { randomUUID } from 'node:crypto';
import type { Admin } from 'kafkajs';
import { withDeadline } from '../kernel/deadline.ts';
import { createConsumer } from './consumer.ts';
import type { KafkaConfig } from './link.ts';
import type { IncomingMessage, PartitionOffsets } from './message.ts';
import type { KafkaSession } from './session.ts';
import { topicOffsets } from './topics.ts';

const READ_DEADLINE_MS = 20_000;
const CLEANUP_DEADLINE_MS = 2000;

export interface TailDeps {
  readonly config: KafkaConfig;
  readonly admin: KafkaSession<Admin>;
}

/** The last `count` messages of each partition that `isWanted`, oldest first; fewer where it holds fewer. */
export async function readTails(
  { config, admin }: TailDeps, topic: string, count: number, isWanted: (partition: number) => boolean,
): Promise<ReadonlyMap<number, IncomingMessage[]>> {
  const ends = (await topicOffsets(admin, topic)).filter(({ partition }) => isWanted(partition));
  const tails = new Map<number, IncomingMessage[]>(ends.map(({ partition }) => [partition, []]));
  const pending = new Set(ends.filter((end) => firstOf(end, count) < end.high).map(({ partition }) => partition));
  if (pending.size === 0) return tails;
  const groupId = `${config.clientId}-tail-${randomUUID()}`;
  const done = Promise.withResolvers<void>();
  const consumer = createConsumer(config, admin, {
    groupId,
    topic,
    startAt: async (partition, now) => {
      const end = ends.find((each) => each.partition === partition);
      return end === undefined ? now.high : firstOf(end, count);
    },
    eachBatch: async ({ partition, messages }) => {
      const end = ends.find((each) => each.partition === partition);
      if (end === undefined) return;
      tails.get(partition)?.push(...messages.filter(({ offset }) => offset < end.high));
      if ((messages.at(-1)?.offset ?? -1n) >= end.high - 1n) pending.delete(partition);
      if (pending.size === 0) done.resolve();
    },
    onFatal: done.reject,
  });
  // Whoever is told of a failure below is told once; a second one while stopping is of no interest.
  done.promise.catch(() => undefined);
  try {
    await withDeadline(`kafka read tail of ${topic}`, READ_DEADLINE_MS, async () => {
      await consumer.start();
      await done.promise;
    });
  } finally {
    await consumer.stop();
    // An empty group left behind is forgotten by the broker after a week.
    await admin.use('delete group', CLEANUP_DEADLINE_MS, (client) => client.deleteGroups([groupId])).catch(() => undefined);
  }
  return tails;
}

function firstOf({ low, high }: PartitionOffsets, count: number): bigint {
  const first = high - BigInt(count);
  return first > low ? first : low;
}
