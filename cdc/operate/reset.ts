/**
 * What a reset of capture or apply means: in words for who asks for it, and whether it may lose changes. Pure.
 *
 * Invariant: in doubt it loses: the control APIs refuse such a reset unless the caller has said that this is meant, and the
 * command line asks for another word.
 */
import type { Part } from './control-api.ts';

export const APPLY_TARGETS = 'start, end, or an offset (with --partition)';
export const CAPTURE_TARGETS = 'now, earliest, snapshot, or gtid:<position>';

export interface ResetPlan {
  readonly part: Part;
  readonly region: string;
  /** The other region. */
  readonly peer: string;
  readonly to: string;
  /** Apply only: all where it is left out. */
  readonly partition?: number | undefined;
}

/** `next`: of apply, the checkpoint of the partition by its number; undefined where it is not known. */
export function losesChanges({ part, to, partition }: Pick<ResetPlan, 'part' | 'to' | 'partition'>, next: (partition: number) => bigint | undefined): boolean {
  if (part === 'capture') return to !== 'earliest';
  if (to === 'start') return false;
  if (to === 'end' || partition === undefined) return true;
  const place = next(partition);
  return place === undefined || BigInt(to) > place;
}

/** Sentences for the person who is about to do it. */
export function meaningOf({ part, region, peer, to, partition }: ResetPlan, loses: boolean): string {
  if (part === 'capture') return captureMeaning(region, peer, to);
  const where = partition === undefined ? 'all partitions' : `partition ${partition}`;
  if (to === 'start') return `apply of ${region} reads ${where} of ${peer}'s topic again from the first message that Kafka still has. Nothing is lost or doubled: what is here already is passed over. It takes as long as the topic is full.`;
  const what = `apply of ${region} goes on in ${where} at ${to === 'end' ? 'the end of the topic' : `offset ${to}`}.`;
  if (!loses) return `${what} What lies between is read once more; nothing is lost or doubled.`;
  return `${what} Changes of ${peer} between its checkpoint and there are never applied in ${region}: the regions then differ until those rows are written again or repaired (./tandem diff shows them).`;
}

function captureMeaning(region: string, peer: string, to: string): string {
  if (to === 'earliest') return `capture of ${region} sends everything that the binlog still has once more. Nothing is lost or doubled: ${peer} passes over what it has. It takes as long as the binlog is.`;
  if (to === 'snapshot') return `capture of ${region} goes on from now, and sends every row that stands here as a snapshot. Rows that were deleted here since the last change it sent stay in ${peer} (./tandem diff shows them).`;
  const place = to === 'now' ? 'from now' : `after ${to.slice('gtid:'.length)}`;
  return `capture of ${region} goes on ${place}. What was written between the last change it sent and there never reaches ${peer}: the regions then differ until those rows are written again or repaired (./tandem diff shows them).`;
}
