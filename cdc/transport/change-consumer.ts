/**
 * Where reading a region's changes begins, partition by partition: at the target's own checkpoint, never at the group's offset.
 *
 * Invariant: it never starts behind a gap in silence. Changes that expired before they were applied are an error
 * (apply-gap); a topic that began anew is read from its start, as applying twice is harmless.
 */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { PartitionOffsets } from '../../shared/kafka/message.ts';

export type FirstOffset =
  /** The checkpoint stands and the topic has what follows it. */
  | { readonly kind: 'resume'; readonly offset: bigint }
  /** There is no checkpoint, or none that fits: place it here first. */
  | { readonly kind: 'place'; readonly offset: bigint; readonly reason: 'first start' | 'the topic began anew' };

/** Throws apply-gap. */
export function firstOffset(checkpoint: bigint | null, { partition, low, high }: PartitionOffsets): FirstOffset {
  if (checkpoint === null) return { kind: 'place', offset: low, reason: 'first start' };
  if (checkpoint > high) return { kind: 'place', offset: low, reason: 'the topic began anew' };
  if (checkpoint < low) {
    throw new TandemError('apply-gap', `partition ${partition}: the changes from offset ${checkpoint} to ${low} expired before they were applied`, {
      details: { partition, checkpoint: String(checkpoint), low: String(low) },
    });
  }
  return { kind: 'resume', offset: checkpoint };
}

export function logFirstOffset(log: LogSink, partition: number, first: FirstOffset): void {
  if (first.kind === 'resume') log.info({ partition, offset: String(first.offset) }, 'apply resumes at its checkpoint');
  else log.warn({ partition, offset: String(first.offset), reason: first.reason }, 'apply places its checkpoint');
}
