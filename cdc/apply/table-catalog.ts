/**
 * What the target's tables look like: columns, unique keys, and which of a change's columns are written.
 *
 * Invariant: a change is written only where the target has every column it carries (but for those that a migration retired) and
 * the change has every column that the target cannot do without; what is missing is named. The catalog is read again when
 * something seems to be missing, so a migration is noticed without a restart.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { quotedName } from '../../shared/mysql/sql-text.ts';
import type { Change, Image } from '../change/envelope.ts';
import { schemaFingerprint } from '../change/schema-fingerprint.ts';
import type { ColumnType } from '../debezium/debezium-values.ts';

/** The columns that images of one shape are written to. */
export interface Layout {
  readonly columns: readonly string[];
  /** Quoted, in the same order. */
  readonly list: string;
}

export interface TargetTable {
  readonly name: string;
  /** Writable columns in table order: generated ones are left to the server. */
  readonly columns: ReadonlySet<string>;
  readonly generated: ReadonlySet<string>;
  /** What each of its columns is, for messages whose values do not tell. */
  readonly types: ReadonlyMap<string, ColumnType>;
  /** Columns that an insert has to name: NOT NULL without a default. */
  readonly required: readonly string[];
  /** NOT NULL. A server may put a default where an UPDATE over a join says NULL, so no NULL is sent to these. */
  readonly notNull: readonly string[];
  /** ON UPDATE CURRENT_TIMESTAMP: an update that does not name such a column changes it. */
  readonly selfUpdating: ReadonlySet<string>;
  /** Columns of type FLOAT: read as DOUBLE, as the text of a FLOAT has six digits. */
  readonly floats: ReadonlySet<string>;
  /** Dropped here by a migration that had proof that nobody needs them. */
  readonly retired: ReadonlySet<string>;
  /** Secondary unique keys by name. */
  readonly uniqueKeys: ReadonlyMap<string, readonly string[]>;
  /** As source.schema has it. */
  readonly fingerprint: string;
  /** Layouts by the shape of the image, and those shapes that miss nothing. */
  readonly layouts: Map<string, Layout>;
  readonly fitting: Set<string>;
}

interface ColumnRow {
  readonly t: string; readonly c: string; readonly type: string; readonly dataType: string;
  readonly extra: string; readonly nullable: string; readonly def: string | null;
}

export class TableCatalog {
  readonly #database: string;
  #tables: ReadonlyMap<string, TargetTable> = new Map();
  #retiredTables: ReadonlySet<string> = new Set();

  constructor(database: string) {
    this.#database = database;
  }

  /** Null for a table that was retired here. Throws apply-schema-behind (details: table, columns) after having looked again. */
  async tableOf(connection: RawConnection, change: Change): Promise<TargetTable | null> {
    const known = this.#tables.get(change.table);
    if (known !== undefined && fits(known, change) && !known.notNull.some((column) => change.after?.[column] === null)) return known;
    await this.reload(connection);
    const table = this.#tables.get(change.table);
    if (table === undefined && this.#retiredTables.has(change.table)) return null;
    if (table === undefined) throw behind(change.table, [], `the database here lacks table ${change.table}, which a change of the peer writes`);
    const nulls = nullsRefused(table, change);
    if (nulls.length > 0) {
      throw behind(table.name, nulls, `${nulls.map((column) => `${table.name}.${column}`).join(', ')} takes no NULL here, and a change of the peer writes one`);
    }
    if (fits(table, change)) return table;
    const lacking = missingHere(table, change);
    if (lacking.length > 0) {
      throw behind(table.name, lacking, `the database here lacks ${lacking.map((column) => `${table.name}.${column}`).join(', ')}, which a change of the peer writes`);
    }
    const demanded = missingThere(table, change);
    throw behind(table.name, demanded, `${demanded.map((column) => `${table.name}.${column}`).join(', ')} must have a value here, and changes of the peer do not carry it yet`);
  }

  /** Of what was read last; undefined where the database has no such table. */
  peek(table: string): TargetTable | undefined {
    return this.#tables.get(table);
  }

  async reload(connection: RawConnection): Promise<void> {
    const columns = await connection.query<ColumnRow>(
      `SELECT TABLE_NAME AS t, COLUMN_NAME AS c, COLUMN_TYPE AS type, DATA_TYPE AS dataType, EXTRA AS extra, IS_NULLABLE AS nullable, COLUMN_DEFAULT AS def
       FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME, ORDINAL_POSITION`,
      [this.#database],
    );
    const keys = await connection.query<{ t: string; k: string; c: string }>(
      `SELECT TABLE_NAME AS t, INDEX_NAME AS k, COLUMN_NAME AS c FROM information_schema.STATISTICS
       WHERE TABLE_SCHEMA = ? AND NON_UNIQUE = 0 AND INDEX_NAME <> 'PRIMARY' ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`,
      [this.#database],
    );
    const byTable = Map.groupBy(columns, ({ t }) => t);
    const retired = byTable.has('_retired')
      ? await connection.query<{ t: string; c: string }>('SELECT table_name AS t, column_name AS c FROM _retired')
      : [];
    this.#retiredTables = new Set(retired.filter(({ c }) => c === '').map(({ t }) => t));
    this.#tables = new Map([...byTable].map(([name, its]) => [name, tableOf(name, its, keys.filter(({ t }) => t === name), retired.filter(({ t }) => t === name))]));
  }
}

/** Which columns of this image are written. Images of one shape share the answer. */
export function layoutOf(table: TargetTable, image: Image, schema: string | undefined): Layout {
  const shape = schema ?? Object.keys(image).join();
  const known = table.layouts.get(shape);
  if (known !== undefined) return known;
  const columns = Object.keys(image).filter((column) => table.columns.has(column));
  const layout = { columns, list: columns.map(quotedName).join(',') };
  table.layouts.set(shape, layout);
  return layout;
}

function tableOf(name: string, columns: readonly ColumnRow[], keys: readonly { k: string; c: string }[], retired: readonly { c: string }[]): TargetTable {
  const generated = new Set(columns.filter(isGenerated).map(({ c }) => c));
  const writable = columns.filter(({ c }) => !generated.has(c));
  const uniqueKeys = new Map([...Map.groupBy(keys, ({ k }) => k)].map(([key, its]) => [key, its.map(({ c }) => c)]));
  return {
    name, generated, uniqueKeys,
    columns: new Set(writable.map(({ c }) => c)),
    types: new Map(columns.map(({ c, type, dataType }) => [c, { dataType: dataType.toLowerCase(), columnType: type }])),
    required: writable.filter(({ nullable, def, extra }) => nullable === 'NO' && def === null && !/auto_increment|DEFAULT_GENERATED/i.test(extra)).map(({ c }) => c),
    notNull: writable.filter(({ nullable }) => nullable === 'NO').map(({ c }) => c),
    selfUpdating: new Set(writable.filter(({ extra }) => /on update/i.test(extra)).map(({ c }) => c)),
    floats: new Set(columns.filter(({ dataType }) => dataType.toLowerCase() === 'float').map(({ c }) => c)),
    retired: new Set(retired.map(({ c }) => c)),
    fingerprint: schemaFingerprint(columns.map(({ c, type }) => ({ name: c, type }))),
    layouts: new Map(),
    fitting: new Set(),
  };
}

/** DEFAULT_GENERATED is MySQL's word for an expression as default: such a column is written like any other. */
function isGenerated({ extra }: ColumnRow): boolean {
  return /\b(?:STORED|VIRTUAL|PERSISTENT) GENERATED\b/i.test(extra) || /^(?:PERSISTENT|VIRTUAL)$/i.test(extra);
}

function fits(table: TargetTable, change: Change): boolean {
  if (change.after === null) return true;
  const shape = change.source.schema ?? Object.keys(change.after).join();
  if (table.fitting.has(shape)) return true;
  if (missingHere(table, change).length > 0 || missingThere(table, change).length > 0) return false;
  table.fitting.add(shape);
  return true;
}

function missingHere(table: TargetTable, { after }: Change): string[] {
  return Object.keys(after ?? {}).filter((column) => !table.columns.has(column) && !table.generated.has(column) && !table.retired.has(column));
}

function nullsRefused(table: TargetTable, { after }: Change): string[] {
  return after === null ? [] : table.notNull.filter((column) => after[column] === null);
}

function missingThere(table: TargetTable, { after }: Change): string[] {
  return after === null ? [] : table.required.filter((column) => after[column] === undefined);
}

function behind(table: string, columns: readonly string[], message: string): TandemError {
  return new TandemError('apply-schema-behind', message, { details: { table, columns } });
}
