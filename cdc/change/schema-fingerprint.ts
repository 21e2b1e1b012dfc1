/**
 * A table's columns as eight hex digits: equal where two databases can hold the same images of it.
 *
 * Invariant: it follows from names and types alone. The order of columns, defaults, indexes, character sets and what the
 * two engines merely print differently (`int(11)`, `year(4)`, MariaDB's JSON that is a LONGTEXT) do not change it. It is
 * on the wire as `source.schema`; a reader that computes another one for its own table knows why a value may not fit.
 * Pure: who asks information_schema for the columns passes them in.
 */
import { hash63 } from '../../shared/kernel/hash.ts';

/** A row of information_schema.COLUMNS: COLUMN_NAME and COLUMN_TYPE. */
export interface ColumnType { readonly name: string; readonly type: string }

/** Gives every column of every table of a schema, in what fingerprintsOf() takes: table t, column name, column type. */
export const COLUMN_TYPES_SQL =
  'SELECT TABLE_NAME AS t, COLUMN_NAME AS name, COLUMN_TYPE AS type FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ?';

export function schemaFingerprint(columns: readonly ColumnType[]): string {
  const parts = columns
    .map(({ name, type }) => [name, normalType(type)] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flat();
  return (hash63(...parts) >> 31n).toString(16).padStart(8, '0');
}

/** By table, of what COLUMN_TYPES_SQL gave. */
export function fingerprintsOf(rows: Iterable<ColumnType & { readonly t: string }>): Map<string, string> {
  const tables = Map.groupBy(rows, ({ t }) => t);
  return new Map([...tables].map(([table, columns]) => [table, schemaFingerprint(columns)]));
}

/** Names of one type that the engines, or versions of one, print in several ways. */
const SYNONYMS: Readonly<Record<string, string>> = {
  json: 'longtext', geomcollection: 'geometrycollection', integer: 'int', dec: 'decimal', numeric: 'decimal',
};

/** One spelling for each type. Members of ENUM and SET are kept to the letter, but for those that information_schema cannot print. */
export function normalType(columnType: string): string {
  if (/^(?:enum|set)\b/i.test(columnType)) {
    return columnType.replace(/^\w+\s*/, (word) => word.trim().toLowerCase()).replaceAll(/[\u{10000}-\u{10FFFF}]/gu, '?');
  }
  const plain = columnType
    .toLowerCase()
    .replaceAll(/\/\*.*?\*\//g, '')
    .replace(/^(tinyint|smallint|mediumint|int|integer|bigint|year|vector)\s*\(\d+\)/, '$1')
    .replace(/\s+zerofill\b/, ' unsigned')
    .replace(/(?: unsigned)+/, ' unsigned')
    .trim();
  return plain.replace(/^[a-z]+/, (word) => SYNONYMS[word] ?? word);
}
