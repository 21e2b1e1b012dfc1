/**
 * Moves checkpoints where an operator wants them, while nothing is being applied here.
 *
 * Invariant: a checkpoint comes to lie where the topic has something to read, or at its end. Going back is harmless (versions
 * decide); going ahead leaves changes out for good, which is the operator's word to give.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { PartitionOffsets } from '../../shared/kafka/message.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { placeCheckpoint, readCheckpoint } from './checkpoint.ts';

export interface ResetRequest {
  readonly partition?: number;
  /** An offset only together with a partition. */
  readonly to: 'start' | 'end' | bigint;
}

export interface ResetPartition { readonly partition: number; readonly from: bigint | null; readonly to: bigint }

/** Throws apply-reset-refused before anything is moved, db-*. */
export async function moveCheckpoints(
  connection: RawConnection, { source, offsets, request }: { source: string; offsets: readonly PartitionOffsets[]; request: ResetRequest },
): Promise<ResetPartition[]> {
  const places = placesOf(offsets, request);
  const moved: ResetPartition[] = [];
  for (const { partition, to } of places) {
    const key = { source, partition };
    const from = await readCheckpoint(connection, key);
    await placeCheckpoint(connection, key, to);
    moved.push({ partition, from: from?.next ?? null, to });
  }
  return moved;
}

/** Where each partition goes. Throws apply-reset-refused. */
export function placesOf(offsets: readonly PartitionOffsets[], { partition, to }: ResetRequest): { readonly partition: number; readonly to: bigint }[] {
  if (typeof to === 'bigint' && partition === undefined) throw refused('an offset needs a partition: each partition counts its own', {});
  const chosen = partition === undefined ? offsets : offsets.filter((each) => each.partition === partition);
  if (chosen.length === 0) throw refused(`the topic has partitions 0 to ${offsets.length - 1}, not ${partition}`, { partition });
  return chosen.map(({ partition: each, low, high }) => {
    const place = to === 'start' ? low : to === 'end' ? high : to;
    if (place < low || place > high) throw refused(`partition ${each} holds offsets ${low} to ${high}, not ${place}`, { partition: each, low: String(low), high: String(high) });
    return { partition: each, to: place };
  });
}

function refused(message: string, details: Record<string, unknown>): TandemError {
  return new TandemError('apply-reset-refused', message, { details });
}
