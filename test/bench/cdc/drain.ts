/**
 * How fast a contender brings a backlog over, and what that costs.
 *
 * Invariant: the clock runs from the moment when the source sees a new reader of its binlog to the one when the target's rows equal the
 * source's, versions included; the same for every contender, so that no start-up is counted and nothing that is still under way is left out.
 */
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { Contender } from './contender.ts';
import { LOADED_TABLES, SENTINELS } from './load.ts';
import { cpuSeconds, peakMib } from './process-cost.ts';
import { DumpWatch, fingerprint, openSql } from './servers.ts';

const READER_DEADLINE_MS = 60_000;
const DRAIN_DEADLINE_MS = 300_000;
const SENTINEL_POLL_MS = 10;
const COMPARE_POLL_MS = 100;

export interface Drain {
  readonly rows: number;
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** By role of the process. */
  readonly cpuSecondsPerMillionRows: Readonly<Record<string, number>>;
  readonly peakMib: Readonly<Record<string, number>>;
}

/** Starts the contender, waits until it has everything, and leaves it running. */
export async function drain({ contender, source, rows, sentinel }: { contender: Contender; source: RawConnection; rows: number; sentinel: number }): Promise<Drain> {
  const wanted = await fingerprint(source);
  const watch = await DumpWatch.begin(source);
  const target = await openSql(contender.target.config);
  try {
    await contender.start();
    await watch.appeared(READER_DEADLINE_MS);
    const startMs = performance.now();
    const before = mapValues(contender.pids(), cpuSeconds);
    await arrived({ target, sentinel, wanted, contender });
    const seconds = (performance.now() - startMs) / 1000;
    const pids = contender.pids();
    return {
      rows, seconds, rowsPerSecond: rows / seconds,
      cpuSecondsPerMillionRows: mapValues(pids, (pid, role) => ((cpuSeconds(pid) - (before[role] ?? 0)) * 1e6) / rows),
      peakMib: Object.fromEntries(contender.measured.map((role) => [role, peakMib(pids[role] ?? 0)])),
    };
  } finally {
    await target.close();
  }
}

async function arrived({ target, sentinel, wanted, contender }: { target: RawConnection; sentinel: number; wanted: string; contender: Contender }): Promise<void> {
  const end = performance.now() + DRAIN_DEADLINE_MS;
  const expected = SENTINELS * LOADED_TABLES.length;
  const sql = `SELECT ${LOADED_TABLES.map((table) => `(SELECT COUNT(*) FROM ${table} WHERE id BETWEEN ? AND ?)`).join(' + ')} AS n`;
  const params = LOADED_TABLES.flatMap(() => [sentinel, sentinel + SENTINELS - 1]);
  for (let found = ''; ;) {
    const [row] = await target.query<{ n: string | number }>(sql, params);
    const isOver = Number(row?.n) === expected;
    if (isOver && (found = await fingerprint(target)) === wanted) return;
    if (performance.now() > end) throw new Error(`${contender.name} did not arrive in ${DRAIN_DEADLINE_MS} ms: ${found || `${row?.n} of ${expected} last rows`}; wanted ${wanted}`);
    await new Promise((resolve) => setTimeout(resolve, isOver ? COMPARE_POLL_MS : SENTINEL_POLL_MS));
  }
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A, key: string) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}
