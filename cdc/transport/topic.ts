/**
 * The change topic of a region: its settings, and its tail, which is capture's only memory.
 *
 * Invariant: messages are kept by time alone, never compacted: a reader that stays away for longer than the retention has
 * a gap, and says so (apply-gap).
 */
import type { KafkaClient } from '../../shared/kafka/kafka.ts';
import { decodeChange } from '../change/codec.ts';
import { changeTopic } from '../change/envelope.ts';
import type { Change } from '../change/envelope.ts';
import { MESSAGE_BYTES_MAX, partNameOf } from './parts.ts';

/** How long a region may be away and still catch up from the topic. */
export const RETENTION_MS = 3 * 86_400_000;

export interface ChangeTopic { readonly region: string; readonly partitions: number }

/** Throws kafka-failed where the topic stands with another number of partitions: rows would lose their order. */
export async function ensureChangeTopic(kafka: KafkaClient, { region, partitions }: ChangeTopic): Promise<void> {
  await kafka.ensureTopic({
    topic: changeTopic(region),
    partitions,
    configs: {
      'cleanup.policy': 'delete',
      'retention.ms': String(RETENTION_MS),
      'retention.bytes': '-1',
      'max.message.bytes': String(MESSAGE_BYTES_MAX),
    },
  });
}

/**
 * The last change of each partition, without its images where they came in parts; null where it holds none. Parts that a
 * killed capture left at the end are passed over. Throws change-malformed.
 */
export async function readTails(kafka: KafkaClient, { region, partitions }: ChangeTopic): Promise<Map<number, Change | null>> {
  const topic = changeTopic(region);
  const tails = await kafka.readTails(topic, 1);
  const changes = new Map<number, Change | null>();
  for (let partition = 0; partition < partitions; partition += 1) {
    let [last, back] = [tails.get(partition)?.at(-1), 1];
    for (let part = last && partNameOf(last); last !== undefined && part; part = last && partNameOf(last)) {
      // The set's first part lies number - 1 messages before this one, and what we look for before that.
      back += part.number;
      const messages = await kafka.readLast(topic, partition, back);
      last = messages.length < back ? undefined : messages[0];
    }
    changes.set(partition, last === undefined ? null : decodeChange(last.value));
  }
  return changes;
}
