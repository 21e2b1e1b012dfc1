/**
 * Columns whose type the binlog does not tell: MariaDB keeps UUID and INET as bytes in an order of its own, and compressed
 * columns compressed. Taken for what the table map says they would arrive as other values, so capture does not start.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export const REFUSED_TYPES_SQL = `SELECT TABLE_NAME AS t, COLUMN_NAME AS c, COLUMN_TYPE AS type FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND (DATA_TYPE IN ('uuid', 'inet4', 'inet6', 'xmltype') OR COLUMN_TYPE LIKE '%COMPRESSED%')`;

/** Throws capture-unreadable, naming every such column of the tables that travel. */
export function refuseTypes(rows: readonly { readonly t: string; readonly c: string; readonly type: string }[], tables: ReadonlySet<string>): void {
  const refused = rows.filter(({ t }) => tables.has(t)).map(({ t, c, type }) => ({ column: `${t}.${c}`, type: type.replaceAll(/\/\*M?!?\d*|\*\//g, '').trim() }));
  if (refused.length === 0) return;
  const named = refused.map(({ column, type }) => `${column} (${type})`).join(', ');
  throw new TandemError('capture-unreadable', `the binlog does not hold these columns as they are: ${named}; make them BINARY, VARBINARY or text columns`, {
    details: { columns: refused.map(({ column }) => column) },
  });
}
