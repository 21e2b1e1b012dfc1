/**
 * What a database says of its own tables: the columns with their types, and the secondary unique keys.
 *
 * Deliberately absent: any judgement, and the columns' defaults.
 */
import type { RawConnection } from '../mysql/raw-connection.ts';

export interface ColumnFacts {
  readonly name: string;
  /** information_schema's data_type in lower case: 'bigint', 'varchar', … MariaDB calls JSON 'longtext'. */
  readonly type: string;
  readonly isUnsigned: boolean;
  readonly isNullable: boolean;
  readonly isGenerated: boolean;
}

export interface TableFacts {
  readonly table: string;
  /** In table order. */
  readonly columns: ReadonlyMap<string, ColumnFacts>;
  /** Secondary unique keys: name to columns. */
  readonly uniqueKeys: ReadonlyMap<string, readonly string[]>;
}

/** Of every table of the connection's database. Throws what the connection throws. */
export async function readTableFacts(connection: Pick<RawConnection, 'query'>): Promise<ReadonlyMap<string, TableFacts>> {
  const columns = await connection.query<{ t: string; name: string; type: string; full: string; nullable: string; extra: string }>(
    `SELECT TABLE_NAME AS t, COLUMN_NAME AS name, DATA_TYPE AS type, COLUMN_TYPE AS full, IS_NULLABLE AS nullable, EXTRA AS extra
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION`,
  );
  const keys = await connection.query<{ t: string; k: string; c: string }>(
    `SELECT TABLE_NAME AS t, INDEX_NAME AS k, COLUMN_NAME AS c FROM information_schema.STATISTICS
     WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0 AND INDEX_NAME <> 'PRIMARY' ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`,
  );
  const facts = new Map<string, { table: string; columns: Map<string, ColumnFacts>; uniqueKeys: Map<string, string[]> }>();
  for (const { t, name, type, full, nullable, extra } of columns) {
    const table = facts.get(t) ?? { table: t, columns: new Map(), uniqueKeys: new Map() };
    table.columns.set(name, {
      name, type: type.toLowerCase(), isUnsigned: /\bunsigned\b/i.test(full), isNullable: nullable.toUpperCase() === 'YES',
      // DEFAULT_GENERATED is MySQL's word for an expression as default: such a column is written like any other.
      isGenerated: /\b(?:STORED|VIRTUAL|PERSISTENT) GENERATED\b|^(?:PERSISTENT|VIRTUAL)\b/i.test(extra),
    });
    facts.set(t, table);
  }
  for (const { t, k, c } of keys) {
    const uniqueKeys = facts.get(t)?.uniqueKeys;
    uniqueKeys?.set(k, [...(uniqueKeys.get(k) ?? []), c]);
  }
  return facts;
}
