/** What apply says of itself to an operator: where it is, how far behind, what it could not write. */
import type { Database } from '../../shared/mysql/database.ts';
import { CONFLICT_TABLE, DEAD_LETTER_TABLE } from '../../shared/schema/tables.ts';
import type { Apply } from '../apply/apply.ts';
import type { LagRing } from '../apply/lag.ts';
import { LAG_WINDOW_S } from './control-api.ts';
import type { ApplyStatus, PauseNote } from './control-api.ts';

export interface ApplyStatusParts {
  readonly region: string;
  readonly source: string;
  readonly database: Pick<Database, 'query'>;
  readonly apply: Apply | undefined;
  readonly pause: PauseNote | null;
}

export async function applyStatus({ region, source, database, apply, pause }: ApplyStatusParts): Promise<ApplyStatus> {
  const [letters, conflicts] = await Promise.all([
    counted(database, `SELECT kind, COUNT(*) AS n FROM ${DEAD_LETTER_TABLE} WHERE state = 'waiting' GROUP BY kind`),
    counted(database, `SELECT kind, COUNT(*) AS n FROM ${CONFLICT_TABLE} WHERE detected_at >= NOW(3) - INTERVAL 1 HOUR GROUP BY kind`),
  ]);
  const { rowsApplied = 0, transactions = 0, duplicates = 0, stale = 0 } = apply?.stats ?? {};
  const trouble = apply === undefined ? 'not-ready: it has not started yet' : apply.trouble;
  return {
    part: 'apply',
    region,
    source,
    at: new Date().toISOString(),
    state: pause !== null ? 'paused' : apply === undefined ? 'standby' : trouble === null ? 'applying' : 'stuck',
    trouble: pause === null ? trouble : null,
    pause,
    partitions: (apply?.partitions ?? []).map(({ partition, next, high, behind, trouble: stuck, waitsFor }) => ({
      partition, next: String(next), high: String(high), behind: String(behind), trouble: stuck, waitsFor,
    })),
    lag: apply === undefined ? null : lagOf(apply.lag, Date.now()),
    rowsApplied, transactions, duplicates: duplicates + stale,
    conflicts,
    deadLetters: letters === null ? null : { poison: letters['poison'] ?? 0, held: letters['held'] ?? 0 },
    parkedUnits: [...(apply?.parkedUnits ?? [])],
  };
}

/** Null where the database does not answer: the rest of the status is worth having without it. */
async function counted(database: Pick<Database, 'query'>, sql: string): Promise<Record<string, number> | null> {
  try {
    const rows = await database.query<{ kind: string; n: bigint }>(sql);
    return Object.fromEntries(rows.map(({ kind, n }) => [kind, Number(n)]));
  } catch {
    return null;
  }
}

function lagOf(ring: LagRing, nowMs: number): ApplyStatus['lag'] {
  const lags = ring.since(nowMs - LAG_WINDOW_S * 1_000).map(({ lagMs }) => lagMs).toSorted((a, b) => a - b);
  const at = (share: number): number => lags[Math.min(lags.length - 1, Math.floor(lags.length * share))] ?? 0;
  return lags.length === 0 ? null : { p50Ms: Math.max(0, at(0.5)), p99Ms: Math.max(0, at(0.99)), samples: lags.length };
}
