/**
 * The full comparison of two live databases, table by table.
 *
 * Invariant: it returns a whole answer or throws; a run that was broken off never looks like one that found nothing. It
 * writes nothing, anywhere.
 */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { MysqlConfig } from '../../shared/mysql/database.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import { REPLICATED_TABLES } from '../../shared/schema/tables.ts';
import { compareTable } from './compare-table.ts';
import type { TableComparison } from './compare-table.ts';
import type { RowVersion, VerdictKind } from './diff.ts';
import { Side } from './scan.ts';

/** Differences that are listed one by one; all are counted. */
export const DIFFERENCES_LISTED_MAX = 1_000;
/** For one statement: a digest or the rows of one chunk. */
const QUERY_DEADLINE_MS = 60_000;

export interface DiffSide {
  readonly name: string;
  readonly mysql: MysqlConfig;
}

export interface DiffProgress {
  readonly table: string;
  readonly tableNo: number;
  readonly tableCount: number;
  /** Of all tables so far. */
  readonly rowsCompared: number;
}

export interface DiffRequest {
  readonly left: DiffSide;
  readonly right: DiffSide;
  /** All replicated tables unless named. */
  readonly tables?: readonly string[] | undefined;
  readonly log: LogSink;
  readonly onProgress?: ((progress: DiffProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly chunkRows?: number | undefined;
  readonly settleDeadlineMs?: number | undefined;
  /** Monotonic. */
  readonly nowMs?: () => number;
}

export interface DiffReport {
  readonly left: string;
  readonly right: string;
  readonly tables: readonly TableComparison[];
  readonly rowsCompared: number;
  readonly rowsDifferent: number;
  readonly rowsUnsettled: number;
  /** The first DIFFERENCES_LISTED_MAX. */
  readonly differences: readonly ListedDifference[];
  readonly tookMs: number;
}

export interface ListedDifference {
  readonly table: string;
  readonly id: string;
  readonly kind: VerdictKind;
  readonly columns?: readonly string[];
  /** By the names of the sides. */
  readonly versions: Readonly<Record<string, RowVersion | null>>;
}

/** Throws diff-refused, db-unavailable, db-failed, or the signal's reason. */
export async function runDiff(request: DiffRequest): Promise<DiffReport> {
  const { left: leftSide, right: rightSide, tables = REPLICATED_TABLES, signal, log } = request;
  const nowMs = request.nowMs ?? (() => performance.now());
  const beganMs = nowMs();
  const differences: ListedDifference[] = [];
  const compared: TableComparison[] = [];
  const left = await open(leftSide);
  try {
    const right = await open(rightSide);
    // A statement in progress has no signal: ending its connection ends it.
    const onAbort = (): void => [left, right].forEach((side) => side.destroy());
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      for (const [i, table] of tables.entries()) {
        const rowsBefore = sum(compared, 'rowsCompared');
        const progress = (rows: number): void =>
          request.onProgress?.({ table, tableNo: i + 1, tableCount: tables.length, rowsCompared: rowsBefore + rows });
        progress(0);
        compared.push(
          await compareTable({
            table, left, right, nowMs, signal,
            chunkRows: request.chunkRows,
            settleDeadlineMs: request.settleDeadlineMs,
            onProgress: progress,
            onDifference: ({ id, kind, columns, left: l, right: r }) => {
              if (differences.length >= DIFFERENCES_LISTED_MAX) return;
              const versions = { [left.name]: l, [right.name]: r };
              differences.push({ table, id, kind, ...(columns === undefined ? {} : { columns }), versions });
            },
          }),
        );
      }
    } catch (e) {
      signal?.throwIfAborted();
      log.warn({ tablesDone: compared.length, tableCount: tables.length }, 'the comparison was broken off');
      throw e;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      await right.close();
    }
  } finally {
    await left.close();
  }
  return {
    left: leftSide.name,
    right: rightSide.name,
    tables: compared,
    rowsCompared: sum(compared, 'rowsCompared'),
    rowsDifferent: sum(compared, 'rowsDifferent'),
    rowsUnsettled: sum(compared, 'rowsUnsettled'),
    differences,
    tookMs: Math.round(nowMs() - beganMs),
  };
}

async function open({ name, mysql }: DiffSide): Promise<Side> {
  return new Side(name, await openRawConnection(mysql, { role: 'diff', queryDeadlineMs: QUERY_DEADLINE_MS }));
}

function sum(tables: readonly TableComparison[], figure: 'rowsCompared' | 'rowsDifferent' | 'rowsUnsettled'): number {
  return tables.reduce((total, table) => total + table[figure], 0);
}
