/**
 * Compares two ordered runs of rows of one table and says what differs. Pure.
 *
 * Invariant: every id that occurs on either side is judged exactly once, in ascending order; a row is equal only where all
 * its values are, its version included. It holds one row of each side at a time and nothing of the rows it yields.
 * Whether a difference is one, or a change still on its way, is not known here: see settle.ts.
 */
import { assert } from '../../shared/kernel/assert.ts';

/** A row as the server prints it: BIGINT, DECIMAL and times as exact text, binary as bytes. Always with id, _hlc, _origin. */
export type Row = Readonly<Record<string, Value>>;
export type Value = null | string | number | Uint8Array;

export interface RowVersion {
  readonly hlc: string;
  readonly origin: number;
}

/** missing: only on the left. extra: only on the right. different: some column other than the version. */
export type VerdictKind = 'missing' | 'extra' | 'different' | 'version-only';

export interface Verdict {
  readonly id: string;
  readonly kind: VerdictKind;
  /** The columns that differ, for 'different'. */
  readonly columns?: readonly string[];
  /** null on the side where the row is not. */
  readonly left: RowVersion | null;
  readonly right: RowVersion | null;
}

export interface DiffOptions {
  /** Columns whose text is JSON on at least one side's own type: compared as values, not as spelling. */
  readonly jsonColumns?: ReadonlySet<string>;
}

/** Yields a verdict for each id that is not equal on both sides. Both inputs must ascend strictly by id. */
export function* diffRows(left: Iterable<Row>, right: Iterable<Row>, options: DiffOptions = {}): Generator<Verdict> {
  const lefts = ascending(left, 'left');
  const rights = ascending(right, 'right');
  let l = lefts.next();
  let r = rights.next();
  while (!l.done || !r.done) {
    const order = l.done ? 1 : r.done ? -1 : compareIds(l.value, r.value);
    if (order < 0 && !l.done) {
      yield { id: String(l.value['id']), kind: 'missing', left: versionOf(l.value), right: null };
      l = lefts.next();
    } else if (order > 0 && !r.done) {
      yield { id: String(r.value['id']), kind: 'extra', left: null, right: versionOf(r.value) };
      r = rights.next();
    } else if (!l.done && !r.done) {
      const verdict = compareRow(l.value, r.value, options);
      if (verdict !== null) yield verdict;
      l = lefts.next();
      r = rights.next();
    }
  }
}

export function compareIds(a: Row, b: Row): number {
  const [idA, idB] = [BigInt(String(a['id'])), BigInt(String(b['id']))];
  return idA < idB ? -1 : idA > idB ? 1 : 0;
}

const VERSION_COLUMNS: ReadonlySet<string> = new Set(['_hlc', '_origin']);

function compareRow(left: Row, right: Row, { jsonColumns }: DiffOptions): Verdict | null {
  const unequal = Object.keys(left).filter((column) => {
    const isJson = jsonColumns?.has(column) ?? false;
    return !isSameValue(left[column] ?? null, right[column] ?? null) && !(isJson && isSameJson(left[column], right[column]));
  });
  if (unequal.length === 0) return null;
  const columns = unequal.filter((column) => !VERSION_COLUMNS.has(column));
  const sides = { id: String(left['id']), left: versionOf(left), right: versionOf(right) };
  return columns.length === 0 ? { ...sides, kind: 'version-only' } : { ...sides, kind: 'different', columns };
}

function isSameValue(a: Value, b: Value): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  // As text: one driver may give a small integer as number where the other gives digits. null is neither.
  return a === b || (a !== null && b !== null && !(a instanceof Uint8Array) && !(b instanceof Uint8Array) && String(a) === String(b));
}

function isSameJson(a: Value | undefined, b: Value | undefined): boolean {
  if (typeof a !== 'string' || typeof b !== 'string') return false;
  try {
    return canonical(JSON.parse(a)) === canonical(JSON.parse(b));
  } catch {
    // Not JSON after all: then its spelling is its value, and that differs.
    return false;
  }
}

/** The same text for the same value, whatever the order of its keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join()}}`;
}

function versionOf(row: Row): RowVersion {
  return { hlc: String(row['_hlc']), origin: Number(row['_origin']) };
}

function* ascending(rows: Iterable<Row>, side: string): Generator<Row, undefined> {
  let last: Row | undefined;
  for (const row of rows) {
    assert(last === undefined || compareIds(last, row) < 0, `rows of the ${side} side must ascend by id`);
    last = row;
    yield row;
  }
  return undefined;
}
