/**
 * How far this region's apply has come in one partition of the peer's topic: a row of _checkpoints.
 *
 * Invariant: the row is written first in every transaction of apply (which makes it the loop marker in the binlog) and only
 * from the value it is expected to have, so that of two appliers one fails before it writes anything.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { CHECKPOINT_TABLE } from '../../shared/schema/tables.ts';

export interface CheckpointKey {
  /** The region whose changes these are. */
  readonly source: string;
  readonly partition: number;
}

/** null where this partition has never been applied. */
export async function readCheckpoint(connection: RawConnection, { source, partition }: CheckpointKey): Promise<bigint | null> {
  const [row] = await connection.query<{ next_offset: string }>(
    `SELECT next_offset FROM ${CHECKPOINT_TABLE} WHERE source = ? AND partition_no = ?`, [source, partition],
  );
  return row === undefined ? null : BigInt(row.next_offset);
}

/** Sets the checkpoint outside of any batch: at the first start, or when the topic began anew. */
export async function placeCheckpoint(connection: RawConnection, { source, partition }: CheckpointKey, next: bigint): Promise<void> {
  await connection.execute(
    `INSERT INTO ${CHECKPOINT_TABLE} (source, partition_no, next_offset, watermark_hlc) VALUES (?, ?, ?, 0)
     ON DUPLICATE KEY UPDATE next_offset = VALUES(next_offset)`,
    [source, partition, next],
  );
}

export interface CheckpointMove { readonly expected: bigint; readonly next: bigint; /** Only ever raises it. */ readonly watermark: bigint }

/** Throws checkpoint-moved where it is no longer what was expected. */
export async function moveCheckpoint(connection: RawConnection, { source, partition }: CheckpointKey, move: CheckpointMove): Promise<void> {
  const { affectedRows } = await connection.execute(
    `UPDATE ${CHECKPOINT_TABLE} SET next_offset = ?, watermark_hlc = GREATEST(watermark_hlc, ?), updated_at = NOW(3)
     WHERE source = ? AND partition_no = ? AND next_offset = ?`,
    [move.next, move.watermark, source, partition, move.expected],
  );
  if (affectedRows === 1) return;
  throw new TandemError('checkpoint-moved', `partition ${partition} of ${source} is no longer at offset ${move.expected}`, {
    details: { source, partition, expected: String(move.expected) },
  });
}
