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

/** How long a region may be away and still catch up from the topic. */
export const RETENTION_MS = 3 * 86_400_000;
/** A row of up to 16 MiB in two images, base64. */
export const MESSAGE_BYTES_MAX = 48 * 1024 * 1024;

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

/** The last change of each partition; null where it holds none. Throws change-malformed. */
export async function readTails(kafka: KafkaClient, { region, partitions }: ChangeTopic): Promise<Map<number, Change | null>> {
  const tails = await kafka.readTails(changeTopic(region), 1);
  const changes = new Map<number, Change | null>();
  for (let partition = 0; partition < partitions; partition += 1) {
    const last = tails.get(partition)?.at(-1);
    changes.set(partition, last === undefined ? null : decodeChange(last.value.toString('utf8')));
  }
  return changes;
}
