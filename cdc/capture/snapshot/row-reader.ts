/**
 * Rows of a table by SELECT, in the same wire form that the binlog gives them.
 *
 * Invariant: a row read here and the same row read from the binlog mean the same to apply: exact digits, UTC, invisible columns
 * included, FLOAT as the shortest number that is that float. Columns are looked up for each read, so that an ALTER TABLE
 * between two of them changes image and fingerprint together.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { RawConnection, RawRow, RawValue } from '../../../shared/mysql/raw-connection.ts';
import type { Image, Value } from '../../change/envelope.ts';
import { schemaFingerprint } from '../../change/schema-fingerprint.ts';

export interface RowsRead {
  readonly rows: readonly Image[];
  /** source.schema of the changes made of them. */
  readonly fingerprint: string;
}

interface Column { readonly name: string; readonly type: string; readonly dataType: string }

/** Column types whose values may be large: a chunk's size is found out by their lengths first. */
const LARGE = /text|blob|json/;
const SPATIAL = new Set(['geometry', 'point', 'linestring', 'polygon', 'multipoint', 'multilinestring', 'multipolygon', 'geomcollection', 'geometrycollection']);
const FLOAT_DIGITS = { min: 6, max: 9 } as const;

/** `where` and `params` select the rows. Throws capture-unreadable for a type that does not travel, db-*. */
export async function readRows(connection: RawConnection, table: string, where: string, params: readonly unknown[]): Promise<RowsRead> {
  const columns = await columnsOfTable(connection, table);
  const spatial = columns.find(({ dataType }) => SPATIAL.has(dataType));
  if (spatial !== undefined) throw new TandemError('capture-unreadable', `column ${table}.${spatial.name} cannot be captured: GEOMETRY does not travel`, { details: { table, column: spatial.name } });
  const list = columns.map(({ name, dataType }) => (dataType === 'float' ? `CAST(${quoted(name)} AS DOUBLE) AS ${quoted(name)}` : quoted(name)));
  const rows = await connection.query(`SELECT ${list.join(', ')} FROM ${quoted(table)} WHERE ${where}`, params);
  return { rows: rows.map((row) => imageOf(columns, row)), fingerprint: schemaFingerprint(columns) };
}

/** The ids of the next rows after `afterId`, at most `rows` of them and not much more than `bytes` of long values; empty at the table's end. */
export async function nextIds(connection: RawConnection, table: string, afterId: string | null, limits: { readonly rows: number; readonly bytes: number }): Promise<string[]> {
  const columns = await columnsOfTable(connection, table);
  const lengths = columns.filter(({ dataType }) => LARGE.test(dataType)).map(({ name }) => `COALESCE(LENGTH(${quoted(name)}), 0)`);
  const found = await connection.query<{ id: string; bytes: number | string }>(
    `SELECT id, ${lengths.length === 0 ? '0' : lengths.join(' + ')} AS bytes FROM ${quoted(table)} ${afterId === null ? '' : 'WHERE id > ?'} ORDER BY id LIMIT ${limits.rows}`,
    afterId === null ? [] : [BigInt(afterId)],
  );
  let total = 0;
  const last = found.findIndex(({ bytes }) => (total += Number(bytes)) >= limits.bytes);
  return found.slice(0, last < 0 ? found.length : last + 1).map(({ id }) => id);
}

async function columnsOfTable(connection: RawConnection, table: string): Promise<Column[]> {
  const columns = await connection.query<{ name: string; type: string; dataType: string }>(
    'SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, LOWER(DATA_TYPE) AS dataType FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION',
    [table],
  );
  if (columns.length === 0) throw new TandemError('capture-schema-missing', `there is no table ${table}`, { details: { missing: [`table ${table}`] } });
  return columns;
}

function imageOf(columns: readonly Column[], row: RawRow): Image {
  const image: Record<string, Value> = {};
  for (const { name, dataType } of columns) image[name] = valueOf(dataType, row[name] ?? null);
  return image;
}

function valueOf(dataType: string, value: RawValue): Value {
  if (Buffer.isBuffer(value)) return { $b64: value.toString('base64') };
  if (typeof value === 'number') return dataType === 'float' ? shortestFloat(value) : value;
  // A ZEROFILL column prints what it stores with zeros ahead of it.
  return dataType === 'bigint' && typeof value === 'string' ? String(BigInt(value)) : value;
}

/** The number with the fewest digits that is the same float of 32 bits. */
export function shortestFloat(value: number): number {
  for (let digits: number = FLOAT_DIGITS.min; digits < FLOAT_DIGITS.max; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(FLOAT_DIGITS.max));
}

const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
