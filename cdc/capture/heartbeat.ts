/**
 * Writes this region's row of _heartbeats again and again: the pulse by which lag and watermarks are measured.
 *
 * Invariant: one write at a time; a slow database makes fewer beats, never a queue of them. A failed beat is no reason to
 * stop capture (a fenced region takes no writes), but it is logged once per spell of failures.
 */
import { sleep } from '../../shared/kernel/deadline.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { Sql } from '../../shared/mysql/database.ts';
import { HEARTBEAT_TABLE } from '../../shared/schema/tables.ts';

export interface HeartbeatOptions {
  readonly database: Sql;
  readonly origin: number;
  readonly everyMs: number;
  readonly log: LogSink;
  readonly signal: AbortSignal;
  /** Called after each beat that the database took. */
  readonly onBeat: () => void;
}

/** Resolves when the signal aborts. */
export async function runHeartbeat({ database, origin, everyMs, log, signal, onBeat }: HeartbeatOptions): Promise<void> {
  let isFailing = false;
  while (!signal.aborted) {
    try {
      await beat(database, origin);
      if (isFailing) log.info({}, 'heartbeats are written again');
      isFailing = false;
      onBeat();
    } catch (error) {
      if (!isFailing) log.warn({ err: error }, 'a heartbeat could not be written');
      isFailing = true;
    }
    await sleep(everyMs, signal).catch(() => {});
  }
}

async function beat(database: Sql, origin: number): Promise<void> {
  const update = `UPDATE ${HEARTBEAT_TABLE} SET beat = beat + 1, at = UTC_TIMESTAMP(6) WHERE id = ?`;
  const { affectedRows } = await database.execute(update, [origin]);
  if (affectedRows > 0) return;
  await database.execute(`INSERT IGNORE INTO ${HEARTBEAT_TABLE} (id, unit, beat, at) VALUES (?, 0, 1, UTC_TIMESTAMP(6))`, [origin]);
}
