/**
 * A table map: which table the rows that follow belong to, and what its columns are, as of the moment they were written.
 *
 * Invariant: everything comes from the event itself (binlog_row_metadata=FULL), so a column that was added, dropped or
 * changed since cannot be mistaken. A map without names is refused (capture-unreadable).
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { ByteReader } from './byte-reader.ts';
import { TYPE } from './event-types.ts';

export interface TableColumn {
  readonly name: string;
  /** TYPE; ENUM and SET by their own numbers. */
  readonly type: number;
  /** What the type keeps there: a length, a precision, a number of decimals. */
  readonly meta: number;
  readonly unsigned: boolean;
  /** Collation id of text (63: binary); undefined for other types. */
  readonly collation: number | undefined;
  /** Of ENUM and SET, in the bytes of the collation's character set. */
  readonly members: readonly Buffer[];
  /** Of GEOMETRY: which kind, 0 for any. */
  readonly geometry: number;
}

export interface TableMap {
  readonly tableId: number;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly TableColumn[];
}

const FIELD = { signedness: 1, defaultCharset: 2, columnCharset: 3, columnName: 4, setMembers: 5, enumMembers: 6, geometryType: 7, enumSetDefaultCharset: 10, enumSetColumnCharset: 11 } as const;

const NUMERIC = new Set<number>([TYPE.decimal, TYPE.tiny, TYPE.short, TYPE.int24, TYPE.long, TYPE.longlong, TYPE.newdecimal, TYPE.float, TYPE.double, TYPE.year]);
const TEXTUAL = new Set<number>([
  TYPE.varchar, TYPE.varString, TYPE.string, TYPE.blob, TYPE.tinyBlob, TYPE.mediumBlob, TYPE.longBlob, TYPE.compressedBlob, TYPE.compressedVarchar,
]);
const META_BYTES = new Map<number, 1 | 2>([
  ...[TYPE.float, TYPE.double, TYPE.timestamp2, TYPE.datetime2, TYPE.time2, TYPE.blob, TYPE.tinyBlob, TYPE.mediumBlob, TYPE.longBlob, TYPE.geometry, TYPE.json, TYPE.vector, TYPE.compressedBlob]
    .map((type) => [type, 1] as const),
  ...[TYPE.varchar, TYPE.bit, TYPE.newdecimal, TYPE.string, TYPE.varString, TYPE.enum, TYPE.set, TYPE.compressedVarchar].map((type) => [type, 2] as const),
]);

/** Where the table's names stand, without reading the columns. */
export function readTableNames(event: ByteReader): { readonly tableId: number; readonly schema: string; readonly table: string } {
  const tableId = event.u48();
  event.skip(2);
  const schema = event.text(event.u8());
  event.skip(1);
  const table = event.text(event.u8());
  event.skip(1);
  return { tableId, schema, table };
}

/**
 * The rest, after readTableNames(). `geometryIsText`: MariaDB lists a character set for GEOMETRY columns as well.
 * Throws capture-unreadable.
 */
export function readColumns(event: ByteReader, table: string, geometryIsText: boolean): TableColumn[] {
  const count = event.lengthEncoded();
  const types = Array.from(event.slice(count));
  const metas = readMetas(new ByteReader(event.slice(event.lengthEncoded())), types);
  event.skip((count + 7) >> 3);
  const fields = readFields(event);
  const where = (is: (type: number) => boolean): number[] => types.flatMap((type, column) => (is(type) ? [column] : []));
  const names = readNames(fields.get(FIELD.columnName));
  if (names.length !== count) {
    throw new TandemError('capture-unreadable', `rows of ${table} come without column names: set binlog_row_metadata=FULL for all sessions`, {
      details: { table, setting: 'binlog_row_metadata', expected: 'FULL' },
    });
  }
  const collations = new Map<number, number>();
  const texts = where((type) => TEXTUAL.has(type) || (geometryIsText && type === TYPE.geometry));
  const choices = where((type) => type === TYPE.enum || type === TYPE.set);
  readCollations(collations, texts, fields.get(FIELD.defaultCharset), fields.get(FIELD.columnCharset));
  readCollations(collations, choices, fields.get(FIELD.enumSetDefaultCharset), fields.get(FIELD.enumSetColumnCharset));
  const unsigned = readSigns(where((type) => NUMERIC.has(type)), fields.get(FIELD.signedness));
  const members = new Map([
    ...readMembers(where((type) => type === TYPE.enum), fields.get(FIELD.enumMembers)),
    ...readMembers(where((type) => type === TYPE.set), fields.get(FIELD.setMembers)),
  ]);
  const geometries = readNumbers(where((type) => type === TYPE.geometry), fields.get(FIELD.geometryType));
  return types.map((type, column) => ({
    name: names[column] as string, type, meta: metas[column] as number, unsigned: unsigned.has(column),
    collation: collations.get(column), members: members.get(column) ?? [], geometry: geometries.get(column) ?? 0,
  }));
}

/** Replaces STRING by what it really is. */
function readMetas(block: ByteReader, types: number[]): number[] {
  return types.map((type, column) => {
    const size = META_BYTES.get(type) ?? 0;
    if (size === 0) return 0;
    if (size === 1) return block.u8();
    if (type !== TYPE.string) return block.u16();
    // Lengths over 255 borrow two bits of the type, inverted.
    const [first, second] = [block.u8(), block.u8()];
    const isLong = (first & 0x30) !== 0x30;
    types[column] = isLong ? first | 0x30 : first;
    return isLong ? second | (((first & 0x30) ^ 0x30) << 4) : second;
  });
}

function readFields(event: ByteReader): Map<number, Buffer> {
  const fields = new Map<number, Buffer>();
  while (event.left > 0) fields.set(event.u8(), event.slice(event.lengthEncoded()));
  return fields;
}

function readNames(field: Buffer | undefined): string[] {
  const names: string[] = [];
  if (field === undefined) return names;
  for (const reader = new ByteReader(field); reader.left > 0; ) names.push(reader.text(reader.lengthEncoded()));
  return names;
}

/** Either one for all with the exceptions by their place among `columns`, or one for each. */
function readCollations(into: Map<number, number>, columns: readonly number[], usual: Buffer | undefined, each: Buffer | undefined): void {
  if (usual !== undefined) {
    const reader = new ByteReader(usual);
    const collation = reader.lengthEncoded();
    for (const column of columns) into.set(column, collation);
    while (reader.left > 0) into.set(columns[reader.lengthEncoded()] ?? -1, reader.lengthEncoded());
  }
  for (const [column, collation] of readNumbers(columns, each)) into.set(column, collation);
}

function readNumbers(columns: readonly number[], field: Buffer | undefined): Map<number, number> {
  if (field === undefined) return new Map();
  const reader = new ByteReader(field);
  return new Map(columns.map((column) => [column, reader.left > 0 ? reader.lengthEncoded() : 0]));
}

/** One bit a numeric column, the first in the highest bit. */
function readSigns(columns: readonly number[], field: Buffer | undefined): Set<number> {
  return new Set(columns.filter((_column, i) => ((field?.[i >> 3] ?? 0) & (0x80 >> (i & 7))) !== 0));
}

function readMembers(columns: readonly number[], field: Buffer | undefined): Map<number, Buffer[]> {
  if (field === undefined) return new Map();
  const reader = new ByteReader(field);
  return new Map(columns.map((column) => {
    const count = reader.left > 0 ? reader.lengthEncoded() : 0;
    return [column, Array.from({ length: count }, () => Buffer.from(reader.slice(reader.lengthEncoded())))];
  }));
}
