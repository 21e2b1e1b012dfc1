/**
 * How far this region's apply has come in one partition of the peer's topic: a row of _checkpoints.
 *
 * Invariants: the row is written first in every transaction of apply (which makes it the loop marker in the binlog) and only
 * from the value it is expected to have, so that of two appliers one fails before it writes anything that stays. `position` is
 * the peer's binlog position that the changes before `next` reach: a change from a transaction that it covers has been here.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { literal } from '../../shared/mysql/sql-text.ts';
import { CHECKPOINT_TABLE } from '../../shared/schema/tables.ts';

export interface CheckpointKey {
  /** The region whose changes these are. */
  readonly source: string;
  readonly partition: number;
}

export interface Checkpoint { readonly next: bigint; readonly position: string }

/** null where this partition has never been applied. */
export async function readCheckpoint(connection: RawConnection, { source, partition }: CheckpointKey): Promise<Checkpoint | null> {
  const [row] = await connection.query<{ next_offset: string; position: string | null }>(
    `SELECT next_offset, position FROM ${CHECKPOINT_TABLE} WHERE source = ? AND partition_no = ?`, [source, partition],
  );
  return row === undefined ? null : { next: BigInt(row.next_offset), position: row.position ?? '' };
}

/**
 * Sets the checkpoint outside of any batch: at the first start, when the topic began anew, by a reset. What has been applied has
 * been applied, so the position stays.
 */
export async function placeCheckpoint(connection: RawConnection, { source, partition }: CheckpointKey, next: bigint): Promise<void> {
  await connection.execute(
    `INSERT INTO ${CHECKPOINT_TABLE} (source, partition_no, next_offset, watermark_hlc) VALUES (?, ?, ?, 0)
     ON DUPLICATE KEY UPDATE next_offset = VALUES(next_offset)`,
    [source, partition, next],
  );
}

export interface CheckpointMove {
  readonly expected: bigint;
  readonly next: bigint;
  /** Only ever raises it. */
  readonly watermark: bigint;
  /** null: as it was. */
  readonly position: string | null;
}

/** Meets one row, or none where it is no longer what was expected: see checkMoved(). */
export function moveCheckpoint(key: CheckpointKey, { expected, next, watermark, position }: CheckpointMove): string {
  const moved = position === null ? '' : `, position = ${literal(position)}`;
  return `UPDATE ${CHECKPOINT_TABLE} SET next_offset = ${next}, watermark_hlc = GREATEST(watermark_hlc, ${watermark})${moved}, updated_at = NOW(3)
    WHERE ${isOf(key)} AND next_offset = ${expected}`;
}

/**
 * The loop marker for what people make apply write: it moves nothing, yet always changes the row, as a row that is unchanged
 * would leave no marker in the binlog.
 */
export function markCheckpoint(key: CheckpointKey): string {
  return `UPDATE ${CHECKPOINT_TABLE} SET updated_at = GREATEST(NOW(3), updated_at + INTERVAL 1000 MICROSECOND) WHERE ${isOf(key)}`;
}

/** Throws checkpoint-moved. */
export function checkMoved({ source, partition }: CheckpointKey, expected: bigint, affectedRows: number): void {
  if (affectedRows === 1) return;
  throw new TandemError('checkpoint-moved', `partition ${partition} of ${source} is no longer at offset ${expected}`, {
    details: { source, partition, expected: String(expected) },
  });
}

function isOf({ source, partition }: CheckpointKey): string {
  return `source = ${literal(source)} AND partition_no = ${partition}`;
}
