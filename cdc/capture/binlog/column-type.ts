/**
 * A table map's column as information_schema.COLUMNS would name its type, so that a table's fingerprint can be had of the
 * very moment its rows were written.
 *
 * Invariant: normalType() of this equals normalType() of COLUMN_TYPE, on both engines. What a table map does not tell
 * (FLOAT(7,3), a MariaDB type that is kept as bytes) is told as what it is stored as.
 */
import { BINARY_COLLATION } from './charsets.ts';
import type { Charsets } from './charsets.ts';
import { TYPE } from './event-types.ts';
import type { TableColumn } from './table-map.ts';

const INTEGERS = new Map<number, string>([[TYPE.tiny, 'tinyint'], [TYPE.short, 'smallint'], [TYPE.int24, 'mediumint'], [TYPE.long, 'int'], [TYPE.longlong, 'bigint'], [TYPE.float, 'float'], [TYPE.double, 'double']]);
const TEMPORALS = new Map<number, string>([[TYPE.time2, 'time'], [TYPE.datetime2, 'datetime'], [TYPE.timestamp2, 'timestamp']]);
const GEOMETRIES = ['geometry', 'point', 'linestring', 'polygon', 'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection'];
/** By the bytes of the length that precedes the value. */
const BLOBS = ['', 'tiny', '', 'medium', 'long'];

export function columnTypeOf(column: TableColumn, charsets: Charsets): string {
  const { type, meta, unsigned, collation } = column;
  const isBinary = collation === undefined || collation === BINARY_COLLATION;
  const sign = unsigned ? ' unsigned' : '';
  const name = INTEGERS.get(type);
  if (name !== undefined) return name + sign;
  const temporal = TEMPORALS.get(type);
  if (temporal !== undefined) return meta === 0 ? temporal : `${temporal}(${meta})`;
  const characters = (): number => meta / (charsets.get(collation ?? BINARY_COLLATION)?.maxBytes ?? 1);
  switch (type) {
    case TYPE.newdecimal: return `decimal(${meta & 0xff},${meta >> 8})${sign}`;
    case TYPE.year: return 'year';
    case TYPE.date: return 'date';
    case TYPE.bit: return `bit(${(meta >> 8) * 8 + (meta & 0xff)})`;
    case TYPE.enum: return `enum(${membersOf(column)})`;
    case TYPE.set: return `set(${membersOf(column)})`;
    case TYPE.string: return isBinary ? `binary(${meta})` : `char(${characters()})`;
    case TYPE.varchar:
    case TYPE.varString: return isBinary ? `varbinary(${meta})` : `varchar(${characters()})`;
    case TYPE.json: return 'json';
    case TYPE.geometry: return GEOMETRIES[column.geometry] ?? 'geometry';
    case TYPE.vector: return 'vector';
    default: return `${BLOBS[meta] ?? ''}${isBinary ? 'blob' : 'text'}`;
  }
}

/** HAZARD members outside of UTF-8 are told by their bytes, which information_schema has converted. */
function membersOf({ members }: TableColumn): string {
  return members.map((member) => `'${member.toString('utf8').replaceAll("'", "''")}'`).join();
}
