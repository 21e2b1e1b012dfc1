/**
 * Cases of two regions that write without seeing each other, played all at once on one twin.
 *
 * A case is text: what stands in both regions, what each writes while they are cut off, what must stand in both once they
 * have met. All cases of a suite share one cut, with ids and unique values of their own, so that a suite costs one cut for
 * each order of arrival and not one for each case.
 * Invariant: statements of a case run in their order, each at a later millisecond than the one before, so that which of
 * them is the later one is never left to chance.
 */
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { SIDES, other } from '../../cdc/twin.ts';
import type { Side, Twin } from '../../cdc/twin.ts';

/**
 * `side: statement`; several, parted by `; `, are one transaction. `$1` to `$9` are ids of the case's own, `~x` in a text
 * is a value of its own.
 */
export type Step = `${Side}: ${string}`;

export interface Case {
  readonly name: string;
  /** Has reached both regions before they lose sight of each other. */
  readonly given?: readonly Step[];
  readonly when: readonly Step[];
  /** What `show` makes of the rows of the case at the end, in both regions. */
  readonly rows: readonly string[];
  /** `side kind outcome $id` of each conflict that is kept, in any order. */
  readonly conflicts?: readonly string[];
  /** A second pair of eyes, for what rows and conflicts do not tell. */
  readonly and?: (seen: Seen, id: (digit: number) => string) => void;
}

export interface KeptConflict {
  readonly id: string;
  readonly rowId: string;
  readonly kind: string;
  readonly outcome: string;
  readonly rule: string;
  readonly local: Record<string, unknown> | null;
  readonly remote: Record<string, unknown> | null;
}

export interface Seen {
  readonly rows: Record<Side, readonly string[]>;
  /** `_hlc/_origin` by id. */
  readonly versions: Record<Side, Readonly<Record<string, string>>>;
  readonly conflicts: Record<Side, readonly KeptConflict[]>;
}

/** Which region is the first to hear of the other. */
export type FirstToHear = Side;

export interface Play {
  readonly table: string;
  /** An SQL expression that shows a row as text; its id is put in front. */
  readonly show: string;
  readonly cases: readonly Case[];
  readonly first: FirstToHear;
  /** Below it stand the ids of earlier plays on the same twin. */
  readonly base: number;
}

const IDS_PER_CASE = 10;

/** Plays the cases and tells what became of each. Both regions must be replicating; they are again when it returns. */
export async function play(twin: Twin, { table, show, cases, first, base }: Play): Promise<Map<string, Seen>> {
  const words = cases.map((_, i) => wordsOf(base + i * IDS_PER_CASE));
  for (const [i, { given = [] }] of cases.entries()) for (const step of given) await run(twin, (words[i] as Words).spell(step));
  await twin.settle();
  await Promise.all(SIDES.map((side) => twin.of(side).stopApply()));
  for (const [i, { when }] of cases.entries()) for (const step of when) await run(twin, (words[i] as Words).spell(step));
  twin.of(first).startApply();
  await twin.hears(first);
  twin.of(other(first)).startApply();
  await twin.settle();
  const seen = new Map<string, Seen>();
  for (const [i, { name }] of cases.entries()) seen.set(name, await look(twin, table, show, words[i] as Words));
  return seen;
}

/** What a case says of its conflicts, as `side kind outcome $id`. */
export function conflictsOf(seen: Seen): string[] {
  return SIDES.flatMap((side) => seen.conflicts[side].map(({ kind, outcome, rowId }) => `${side} ${kind} ${outcome} ${rowId}`)).toSorted();
}

interface Words {
  readonly base: number;
  spell(text: string): string;
  /** spell() the other way round. */
  read(text: string): string;
}

function wordsOf(base: number): Words {
  const own = `v${base}`;
  return {
    base,
    spell: (text) => text.replaceAll(/\$(\d)/g, (_, digit: string) => String(base + Number(digit))).replaceAll('~', own),
    read: (text) => text.replaceAll(own, '~').replaceAll(/\b\d+\b/g, (digits) => {
      const digit = Number(digits) - base;
      return digit >= 0 && digit < IDS_PER_CASE ? `$${digit}` : digits;
    }),
  };
}

async function run(twin: Twin, step: string): Promise<void> {
  const colon = step.indexOf(':');
  const { sql } = twin.of(step.slice(0, colon) as Side);
  const statements = step.slice(colon + 1).split(';').map((statement) => statement.trim());
  await laterMs(sql);
  if (statements.length > 1) await sql.execute('START TRANSACTION');
  for (const statement of statements) await sql.execute(statement);
  if (statements.length > 1) await sql.execute('COMMIT');
}

/** Returns once the servers' clock (one machine's, so both servers') shows a later millisecond. */
async function laterMs(sql: RawConnection): Promise<void> {
  const now = async (): Promise<string> => (await sql.query<{ t: string }>('SELECT NOW(3) AS t'))[0]?.t ?? '';
  const begin = await now();
  while ((await now()) === begin);
}

async function look(twin: Twin, table: string, show: string, words: Words): Promise<Seen> {
  const [east, west] = await Promise.all(SIDES.map((side) => lookAt(twin.of(side).sql, table, show, words)));
  if (east === undefined || west === undefined) throw new Error('two regions');
  return {
    rows: { east: east.rows, west: west.rows },
    versions: { east: east.versions, west: west.versions },
    conflicts: { east: east.conflicts, west: west.conflicts },
  };
}

async function lookAt(sql: RawConnection, table: string, show: string, words: Words) {
  const range = [words.base, words.base + IDS_PER_CASE - 1];
  const rows = await sql.query<{ id: string; shown: string; version: string }>(
    `SELECT id, ${show} AS shown, CONCAT(_hlc, '/', _origin) AS version FROM ${table} WHERE ABS(id) BETWEEN ? AND ? ORDER BY id`, range,
  );
  const conflicts = await sql.query<Record<string, string | null>>(
    'SELECT id, row_id, kind, outcome, rule, local_image, remote_image FROM _conflicts WHERE table_name = ? AND ABS(row_id) BETWEEN ? AND ? ORDER BY row_id, id',
    [table, ...range],
  );
  const parsed = (text: string | null | undefined): Record<string, unknown> | null => (typeof text === 'string' ? JSON.parse(text, (_key, value: unknown) => (typeof value === 'string' ? words.read(value) : value)) as Record<string, unknown> : null);
  return {
    rows: rows.map(({ id, shown }) => words.read(`${id} ${shown}`)),
    versions: Object.fromEntries(rows.map(({ id, version }) => [words.read(id), version])),
    conflicts: conflicts.map((row): KeptConflict => ({
      id: String(row['id']), rowId: words.read(String(row['row_id'])), kind: String(row['kind']), outcome: String(row['outcome']), rule: String(row['rule']),
      local: parsed(row['local_image']), remote: parsed(row['remote_image']),
    })),
  };
}
