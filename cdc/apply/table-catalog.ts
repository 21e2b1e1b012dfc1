/**
 * What the target's tables look like: their columns, and the columns of their unique keys.
 *
 * Invariant: a change is written only when the target has every column it carries; what is missing is named. The catalog is
 * read again when something seems to be missing, so a migration is noticed without a restart. A column that a contract
 * migration removed here (_retired) is not missing: the peer still carries it until its own turn, and nobody reads it.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import type { Change } from '../change/envelope.ts';

export interface TargetTable {
  readonly name: string;
  /** Writable columns in table order: generated ones are left to the server. */
  readonly columns: ReadonlySet<string>;
  readonly generated: ReadonlySet<string>;
  /** Columns that a contract migration has removed: carried by changes of a peer that is still to remove them, and left out. */
  readonly retired: ReadonlySet<string>;
  /** Secondary unique keys by name. */
  readonly uniqueKeys: ReadonlyMap<string, readonly string[]>;
}

export class TableCatalog {
  readonly #database: string;
  #tables: ReadonlyMap<string, TargetTable> = new Map();

  constructor(database: string) {
    this.#database = database;
  }

  /** Throws apply-schema-behind (details: table, columns) after having looked again. */
  async tableOf(connection: RawConnection, change: Change): Promise<TargetTable> {
    const known = this.#tables.get(change.table);
    if (known !== undefined && missingColumns(known, change).length === 0) return known;
    await this.#reload(connection);
    const table = this.#tables.get(change.table);
    const columns = table === undefined ? [] : missingColumns(table, change);
    if (table !== undefined && columns.length === 0) return table;
    const what = table === undefined ? `table ${change.table}` : `${change.table}.${columns.join(`, ${change.table}.`)}`;
    throw new TandemError('apply-schema-behind', `the database here lacks ${what}, which a change of the peer writes`, {
      details: { table: change.table, columns },
    });
  }

  async #reload(connection: RawConnection): Promise<void> {
    const columns = await connection.query<{ t: string; c: string; extra: string }>(
      'SELECT TABLE_NAME AS t, COLUMN_NAME AS c, EXTRA AS extra FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME, ORDINAL_POSITION',
      [this.#database],
    );
    const keys = await connection.query<{ t: string; k: string; c: string }>(
      `SELECT TABLE_NAME AS t, INDEX_NAME AS k, COLUMN_NAME AS c FROM information_schema.STATISTICS
       WHERE TABLE_SCHEMA = ? AND NON_UNIQUE = 0 AND INDEX_NAME <> 'PRIMARY' ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`,
      [this.#database],
    );
    const retired = await connection.query<{ t: string; c: string }>('SELECT table_name AS t, column_name AS c FROM _retired');
    const tables = new Map<string, TargetTable & { columns: Set<string>; generated: Set<string>; retired: Set<string>; uniqueKeys: Map<string, string[]> }>();
    for (const { t, c, extra } of columns) {
      const table = tables.get(t) ?? { name: t, columns: new Set(), generated: new Set(), retired: new Set(), uniqueKeys: new Map() };
      // DEFAULT_GENERATED is MySQL's word for an expression as default: such a column is written like any other.
      const isGenerated = /\b(?:STORED|VIRTUAL|PERSISTENT) GENERATED\b/i.test(extra) || /^(?:PERSISTENT|VIRTUAL)$/i.test(extra);
      (isGenerated ? table.generated : table.columns).add(c);
      tables.set(t, table);
    }
    for (const { t, c } of retired) tables.get(t)?.retired.add(c);
    for (const { t, k, c } of keys) {
      const key = tables.get(t)?.uniqueKeys;
      key?.set(k, [...(key.get(k) ?? []), c]);
    }
    this.#tables = tables;
  }
}

function missingColumns(table: TargetTable, change: Change): string[] {
  return Object.keys(change.after ?? {}).filter((column) => !table.columns.has(column) && !table.generated.has(column) && !table.retired.has(column));
}
