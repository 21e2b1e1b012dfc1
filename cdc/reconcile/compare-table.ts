/**
 * Compares one table of two live databases: a digest per chunk on both sides, rows only where digests differ, and a second
 * look at every suspect.
 *
 * Invariant: the chunks cover every id from the lowest to beyond the highest of either side without gap or overlap, and none
 * holds more than CHUNK_ROWS of either side; memory is bounded by a chunk and SUSPECTS_MAX verdicts.
 */
import type { DiffOptions, Verdict, VerdictKind } from './diff.ts';
import { diffRows } from './diff.ts';
import type { Range, Side } from './scan.ts';
import { settle } from './settle.ts';
import type { Settled } from './settle.ts';
import { commonShape } from './table-shape.ts';
import type { Column } from './table-shape.ts';

export const CHUNK_ROWS = 2_000;
/** Suspects that wait for their second look; more of them are looked at in turns. */
export const SUSPECTS_MAX = 10_000;

export interface TableComparison {
  readonly table: string;
  /** Different ids on both sides together: equal ones, different ones, and those of one side only. */
  readonly rowsCompared: number;
  readonly rowsDifferent: number;
  /** Still on their way at the deadline: neither equal nor different. */
  readonly rowsUnsettled: number;
  readonly byKind: Readonly<Record<VerdictKind, number>>;
}

export interface CompareTableRequest {
  readonly table: string;
  readonly left: Side;
  readonly right: Side;
  readonly chunkRows?: number | undefined;
  readonly settleDeadlineMs?: number | undefined;
  readonly nowMs: () => number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each chunk. */
  readonly onProgress: (rowsCompared: number) => void;
  /** Called for every confirmed difference, in batches ascending by id. */
  readonly onDifference: (verdict: Verdict) => void;
}

export async function compareTable(request: CompareTableRequest): Promise<TableComparison> {
  const { table, left, right, signal, chunkRows = CHUNK_ROWS } = request;
  const [leftShape, rightShape] = await Promise.all([left.shapeOf(table), right.shapeOf(table)]);
  const { columns, jsonColumns } = commonShape(leftShape, rightShape, { left: left.name, right: right.name });
  const tally = new Tally(table);
  let suspects: Verdict[] = [];
  let after: string | null = null;
  for (;;) {
    signal?.throwIfAborted();
    const until = await nextBound(request, after, chunkRows);
    const chunk = await compareChunk(request, { columns, options: { jsonColumns }, range: { after, until } });
    tally.rowsCompared += chunk.rows;
    suspects.push(...chunk.suspects);
    request.onProgress(tally.rowsCompared);
    if (suspects.length >= SUSPECTS_MAX || (until === null && suspects.length > 0)) {
      const { settleDeadlineMs: deadlineMs, nowMs } = request;
      tally.add(await settle(suspects, { table, columns, options: { jsonColumns }, left, right, nowMs, deadlineMs, signal }), request);
      suspects = [];
    }
    if (until === null) return tally.result();
    after = until;
  }
}

/** The nearer of both sides' bounds: then neither side has more than `chunkRows` in the chunk. null for the open last one. */
async function nextBound({ table, left, right }: CompareTableRequest, after: string | null, chunkRows: number): Promise<string | null> {
  const [l, r] = await Promise.all([left.boundAfter(table, after, chunkRows), right.boundAfter(table, after, chunkRows)]);
  if (l === null || r === null) return l ?? r;
  return BigInt(l) < BigInt(r) ? l : r;
}

async function compareChunk(
  { table, left, right }: CompareTableRequest,
  { columns, options, range }: { columns: readonly Column[]; options: DiffOptions; range: Range },
): Promise<{ rows: number; suspects: readonly Verdict[] }> {
  const [l, r] = await Promise.all([left.digest(table, columns, range), right.digest(table, columns, range)]);
  if (l.rows === r.rows && l.sum === r.sum) return { rows: l.rows, suspects: [] };
  const [lefts, rights] = await Promise.all([left.rows(table, columns, range), right.rows(table, columns, range)]);
  const suspects = [...diffRows(lefts, rights, options)];
  const extra = suspects.filter((verdict) => verdict.kind === 'extra').length;
  return { rows: lefts.length + extra, suspects };
}

class Tally {
  readonly #table: string;
  readonly #byKind: Record<VerdictKind, number> = { 'missing': 0, 'extra': 0, 'different': 0, 'version-only': 0 };
  #rowsUnsettled = 0;
  rowsCompared = 0;

  constructor(table: string) {
    this.#table = table;
  }

  add({ confirmed, unsettled }: Settled, { onDifference }: Pick<CompareTableRequest, 'onDifference'>): void {
    this.#rowsUnsettled += unsettled.length;
    for (const verdict of confirmed) {
      this.#byKind[verdict.kind] += 1;
      onDifference(verdict);
    }
  }

  result(): TableComparison {
    const rowsDifferent = Object.values(this.#byKind).reduce((sum, count) => sum + count, 0);
    const { rowsCompared } = this;
    return { table: this.#table, rowsCompared, rowsDifferent, rowsUnsettled: this.#rowsUnsettled, byKind: this.#byKind };
  }
}
