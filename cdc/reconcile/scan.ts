/**
 * Reads one side of a comparison: shapes, chunk bounds, digests of a chunk, rows of a chunk.
 *
 * Invariant: a digest covers every column of every row of its range, with the key mixed into each row's hash and the count
 * beside the sum, so that swapped values cannot cancel (as they do under XOR). Every statement is one consistent read.
 * It decides nothing: compare.ts does.
 */
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import type { Row } from './diff.ts';
import type { Column, TableShape } from './table-shape.ts';

/** Ids above `after` and up to `until`; null is open. Decimal text. */
export interface Range {
  readonly after: string | null;
  readonly until: string | null;
}

export interface Digest {
  readonly rows: number;
  /** The sum of the rows' hashes, exact. */
  readonly sum: string;
}

/** Ids in one statement when rows are read again. */
export const IDS_MAX = 500;
const BINARY_TYPES: ReadonlySet<string> = new Set(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'bit']);

export class Side {
  readonly name: string;
  readonly #connection: RawConnection;

  constructor(name: string, connection: RawConnection) {
    this.name = name;
    this.#connection = connection;
  }

  /** The columns of a table, none where there is no such table. */
  async shapeOf(table: string): Promise<TableShape> {
    const rows = await this.#connection.query(
      `SELECT column_name AS name, data_type AS type FROM information_schema.columns
       WHERE table_schema = DATABASE() AND table_name = ? ORDER BY column_name`,
      [table],
    );
    const columns = rows.map((row) => ({ name: String(row['name']), type: String(row['type']).toLowerCase() }));
    return { table, columns: columns.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
  }

  /** The id of the `rows`-th row above `after`; null where there are fewer. */
  async boundAfter(table: string, after: string | null, rows: number): Promise<string | null> {
    const { where, params } = whereOf({ after, until: null });
    const [found] = await this.#connection.query(
      `SELECT id FROM ${quote(table)} ${where} ORDER BY id LIMIT 1 OFFSET ${rows - 1}`, params,
    );
    return found === undefined ? null : String(found['id']);
  }

  async digest(table: string, columns: readonly Column[], range: Range): Promise<Digest> {
    const { where, params } = whereOf(range);
    const [found] = await this.#connection.query(
      `SELECT COUNT(*) AS row_count, COALESCE(SUM(CAST(CONV(LEFT(SHA2(${rowText(columns)}, 256), 16), 16, 10) AS UNSIGNED)), 0) AS hash_sum
       FROM ${quote(table)} ${where}`,
      params,
    );
    return { rows: Number(found?.['row_count'] ?? 0), sum: String(found?.['hash_sum'] ?? '0') };
  }

  /** Ascending by id. */
  async rows(table: string, columns: readonly Column[], range: Range): Promise<Row[]> {
    const { where, params } = whereOf(range);
    return this.#connection.query(`SELECT ${list(columns)} FROM ${quote(table)} ${where} ORDER BY id`, params);
  }

  /** At most IDS_MAX ids. Ascending by id. */
  async rowsOf(table: string, columns: readonly Column[], ids: readonly string[]): Promise<Row[]> {
    const marks = ids.map(() => '?').join();
    return this.#connection.query(`SELECT ${list(columns)} FROM ${quote(table)} WHERE id IN (${marks}) ORDER BY id`, ids.map(BigInt));
  }

  /** The clock of this side as a version: what it writes from now on is above it. */
  async nowHlc(): Promise<bigint> {
    const [found] = await this.#connection.query('SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED) AS ms');
    return (BigInt(String(found?.['ms'])) + 1n) << 16n;
  }

  /** Up to which version this side has applied everything of its peer; null where it applies nothing from anybody. */
  async watermark(): Promise<bigint | null> {
    const [found] = await this.#connection.query('SELECT MIN(watermark_hlc) AS hlc FROM _checkpoints');
    const hlc = found?.['hlc'] ?? null;
    return hlc === null ? null : BigInt(String(hlc));
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Ends a statement in progress as well. */
  destroy(): void {
    this.#connection.destroy();
  }
}

/**
 * What is hashed: SHA-256, as MySQL 9.6 and later no longer bring MD5, and CRC32 is linear: differences can cancel in it.
 * Each value with its length before it, so that no two rows have one text; NULL has no length. The key stands first.
 */
function rowText(columns: readonly Column[]): string {
  const parts = columns.flatMap(({ name, type }) => {
    const value = BINARY_TYPES.has(type) ? `HEX(${quote(name)})` : quote(name);
    return [`IFNULL(LENGTH(${value}), 'n')`, `IFNULL(${value}, '')`];
  });
  return `CONCAT_WS(':', id, ${parts.join(', ')})`;
}

function whereOf({ after, until }: Range): { where: string; params: bigint[] } {
  const conditions: string[] = [];
  // As numbers: against a text the server would compare 63-bit ids as doubles.
  const params: bigint[] = [];
  if (after !== null) {
    conditions.push('id > ?');
    params.push(BigInt(after));
  }
  if (until !== null) {
    conditions.push('id <= ?');
    params.push(BigInt(until));
  }
  return { where: conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`, params };
}

function list(columns: readonly Column[]): string {
  return columns.map(({ name }) => quote(name)).join(', ');
}

/** Names come from the registry and from information_schema, never from a request; quoted all the same. */
function quote(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
