/**
 * Waits until each region has applied all that its peer had committed by now.
 *
 * Invariant: it compares positions, never waits and hopes. Every partition's watermark is the version of the last heartbeat
 * applied from it; once all of them stand past the moment asked about, whatever was committed before it has been applied.
 */
import { sleep } from '../shared/kernel/deadline.ts';
import { TandemError } from '../shared/kernel/tandem-error.ts';
import type { Database } from '../shared/mysql/database.ts';

const POLL_MS = 100;

/** Returns the ms it took; throws deadline-exceeded naming the region that lags and by how much. */
export async function caughtUp(databases: ReadonlyMap<string, Database>, options: { deadlineMs: number; signal?: AbortSignal }): Promise<number> {
  const startedMs = performance.now();
  const untilMs = startedMs + options.deadlineMs;
  // The slowest of the databases' clocks is not ours: ask each, and wait for the latest.
  const marks = await Promise.all([...databases.values()].map((database) => clockMs(database)));
  const markMs = Math.max(...marks);
  for (;;) {
    const behind = await regionsBehind(databases, markMs);
    if (behind.length === 0) return performance.now() - startedMs;
    if (performance.now() > untilMs) {
      throw new TandemError('deadline-exceeded', `not caught up after ${options.deadlineMs} ms: ${behind.join('; ')}`, { details: { behind } });
    }
    await sleep(POLL_MS, options.signal);
  }
}

async function clockMs(database: Database): Promise<number> {
  const [row] = await database.query<{ ms: bigint | number | string }>('SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED) AS ms');
  return Number(row!.ms);
}

async function regionsBehind(databases: ReadonlyMap<string, Database>, markMs: number): Promise<string[]> {
  const behind: string[] = [];
  for (const [region, database] of databases) {
    const [row] = await database.query<{ ms: bigint | number | null }>('SELECT MIN(watermark_hlc) >> 16 AS ms FROM _checkpoints');
    const watermarkMs = row?.ms === null || row === undefined ? 0 : Number(row.ms);
    if (watermarkMs < markMs) behind.push(`${region} has applied up to ${watermarkMs === 0 ? 'nothing' : `${markMs - watermarkMs} ms before the mark`}`);
  }
  return behind;
}
