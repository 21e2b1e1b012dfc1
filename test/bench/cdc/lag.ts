/**
 * Lag of single rows under a steady load: from the source's clock at a probe's insert to the moment when the target shows it.
 *
 * One machine, one clock. The target is asked every PROBE_POLL_MS, so that a figure is too high by half of that on average, for every
 * contender alike; the probe's stamp is taken before its commit, whose flush to disk is thus part of the lag.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RideLoad } from './load.ts';

const PROBE_POLL_MS = 2;
/** After the load's end, for probes that are still under way. */
const STRAGGLER_DEADLINE_MS = 60_000;
/** The first seconds are not counted: compilers warm up, connections are made. */
export const WARM_UP_S = 5;

export interface Lag {
  readonly samples: number;
  readonly transactionsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export async function measureLag({ load, target, perSecond, seconds }: { load: RideLoad; target: RawConnection; perSecond: number; seconds: number }): Promise<Lag> {
  await load.writeSteadily({ perSecond, seconds: WARM_UP_S });
  const first = load.next;
  const writing = load.writeSteadily({ perSecond, seconds });
  const last = load.next;
  const lags = new Map<number, number>();
  let isOver = false;
  const over = writing.finally(() => void (isOver = true));
  // A failed load shows where it is awaited.
  over.catch(() => {});
  let end = Number.POSITIVE_INFINITY;
  for (let lowest = first; lags.size < last - first;) {
    const rows = await target.query<{ id: string; stamp: string; now: string }>(
      'SELECT id, display_name AS stamp, UNIX_TIMESTAMP(NOW(6)) AS now FROM accounts WHERE id >= ? AND id < ? ORDER BY id LIMIT 5000', [lowest, last]);
    for (const { id, stamp, now } of rows) if (!lags.has(Number(id))) lags.set(Number(id), (Number(now) - Number(stamp)) * 1000);
    // Partitions overtake each other: a probe that is missing may still come.
    while (lags.has(lowest)) lowest += 1;
    if (isOver && end === Number.POSITIVE_INFINITY) end = performance.now() + STRAGGLER_DEADLINE_MS;
    if (performance.now() > end) throw new Error(`${last - first - lags.size} of ${last - first} probes did not arrive within ${STRAGGLER_DEADLINE_MS} ms`);
    await sleep(PROBE_POLL_MS);
  }
  const { perSecond: reached } = await writing;
  const sorted = [...lags.values()].toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return { samples: sorted.length, transactionsPerSecond: reached, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: at(1) };
}
