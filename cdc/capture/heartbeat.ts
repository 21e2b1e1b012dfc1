/**
 * Writes this region's row of _heartbeats again and again: the pulse by which lag and watermarks are measured.
 *
 * Invariant: one write at a time; a slow database makes fewer beats, never a queue of them. A failed beat is no reason to
 * stop capture (a fenced region takes no writes), but it is logged once per spell of failures. With each beat the region tells
 * its peer how far it has applied the peer's changes (seen_hlc): in all partitions, else 0.
 */
import { sleep } from '../../shared/kernel/deadline.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { Sql } from '../../shared/mysql/database.ts';
import { CHECKPOINT_TABLE, HEARTBEAT_TABLE } from '../../shared/schema/tables.ts';

/** Whose beat it is, and in how many partitions the peer's changes come. */
export interface Pulse {
  readonly region: string;
  readonly origin: number;
  readonly partitions: number;
}

export interface HeartbeatOptions {
  readonly database: Sql;
  readonly pulse: Pulse;
  readonly everyMs: number;
  readonly log: LogSink;
  readonly signal: AbortSignal;
}

/** Resolves when the signal aborts. */
export async function runHeartbeat({ database, pulse, everyMs, log, signal }: HeartbeatOptions): Promise<void> {
  let isFailing = false;
  while (!signal.aborted) {
    try {
      await beat(database, pulse);
      if (isFailing) log.info({}, 'heartbeats are written again');
      isFailing = false;
    } catch (error) {
      if (!isFailing) log.warn({ err: error }, 'a heartbeat could not be written');
      isFailing = true;
    }
    await sleep(everyMs, signal).catch(() => {});
  }
}

/** Each source has a row for each of its partitions once they were applied here; with several peers the slowest counts. */
const SEEN_HLC = `(SELECT IF(COUNT(*) > 0 AND COUNT(*) = COUNT(DISTINCT source) * ?, MIN(watermark_hlc), 0) FROM ${CHECKPOINT_TABLE} WHERE source <> ?)`;

/** Writes one beat. Throws db-*. */
export async function beat(database: Sql, { region, origin, partitions }: Pulse): Promise<void> {
  const update = `UPDATE ${HEARTBEAT_TABLE} SET beat = beat + 1, at = UTC_TIMESTAMP(6), seen_hlc = ${SEEN_HLC} WHERE id = ?`;
  const { affectedRows } = await database.execute(update, [partitions, region, origin]);
  if (affectedRows > 0) return;
  await database.execute(`INSERT IGNORE INTO ${HEARTBEAT_TABLE} (id, unit, beat, at) VALUES (?, 0, 1, UTC_TIMESTAMP(6))`, [origin]);
}
