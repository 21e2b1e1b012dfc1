/**
 * Rows events of one table map → images, by a decoder that is made once and used for all rows the map describes.
 *
 * Invariant: rows that do not carry every column are refused: a session has lowered binlog_row_image, and what is missing
 * cannot be invented. A row that does not end where the event says is refused, too.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { EncodedImage } from '../../change/encoded-image.ts';
import { VERSION_COLUMNS } from '../../change/image.ts';
import type { RowChange } from '../binlog-event.ts';
import type { ByteReader } from './byte-reader.ts';
import type { Charsets } from './charsets.ts';
import { ROOM_BYTES_A_COLUMN, columnDecoder } from './column-decoders.ts';
import { TYPE } from './event-types.ts';
import type { RowText } from './row-text.ts';
import type { TableColumn } from './table-map.ts';

export type RowsKind = 'insert' | 'update' | 'delete';

/** What capture itself looks at. */
type Role = 'id' | 'unit' | 'hlc' | 'origin' | undefined;

const NULL_TEXT = Buffer.from('null');
const CLOSING_BRACE = 0x7d;

export class RowDecoder {
  readonly #table: string;
  readonly #count: number;
  readonly #prefixes: readonly Buffer[];
  readonly #decoders: readonly ((row: RowText) => void)[];
  readonly #roles: readonly Role[];
  /** For names, braces and everything that does not reserve for itself. */
  readonly #room: number;

  /** Throws capture-unreadable for a column that cannot travel. */
  constructor(table: string, columns: readonly TableColumn[], charsets: Charsets) {
    this.#table = table;
    this.#count = columns.length;
    this.#prefixes = columns.map(({ name }, i) => Buffer.from(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`));
    this.#decoders = columns.map((column) => columnDecoder(table, column, charsets));
    this.#roles = columns.map(roleOf);
    this.#room = this.#prefixes.reduce((sum, prefix) => sum + prefix.length + ROOM_BYTES_A_COLUMN, 2);
  }

  /** The event stands at its column count, behind the table id. Throws capture-unreadable. */
  decode(event: ByteReader, kind: RowsKind, row: RowText): RowChange[] {
    const count = event.lengthEncoded();
    if (count !== this.#count) throw new TandemError('capture-unreadable', `rows of ${this.#table} have ${count} columns, their table map has ${this.#count}`);
    this.#refusePartial(event.slice((count + 7) >> 3));
    if (kind === 'update') this.#refusePartial(event.slice((count + 7) >> 3));
    const changes: RowChange[] = [];
    row.src = event.bytes;
    row.pos = event.at;
    while (row.pos < event.end) {
      const first = this.#image(row);
      if (kind === 'insert') changes.push({ before: null, after: first });
      else changes.push({ before: first, after: kind === 'update' ? this.#image(row) : null });
    }
    if (row.pos !== event.end) throw new TandemError('capture-unreadable', `a row of ${this.#table} reaches ${row.pos - event.end} bytes past its event`);
    return changes;
  }

  #image(row: RowText): EncodedImage {
    const { src } = row;
    const nulls = row.pos;
    row.pos += (this.#count + 7) >> 3;
    row.begin(this.#room);
    let id: string | undefined;
    let unit: number | undefined;
    let hlc: bigint | undefined;
    let origin: number | undefined;
    for (let column = 0; column < this.#count; column += 1) {
      row.raw(this.#prefixes[column] as Buffer);
      if (((src[nulls + (column >> 3)] as number) & (1 << (column & 7))) !== 0) {
        row.raw(NULL_TEXT);
        continue;
      }
      const role = this.#roles[column];
      const { pos } = row;
      (this.#decoders[column] as (row: RowText) => void)(row);
      if (role === undefined) continue;
      if (role === 'id') id = String(src.readBigInt64LE(pos));
      else if (role === 'unit') unit = src[pos];
      else if (role === 'hlc') hlc = src.readBigUInt64LE(pos);
      else origin = src[pos];
    }
    row.byte(CLOSING_BRACE);
    return new EncodedImage(row.end(), id, unit, hlc, origin);
  }

  #refusePartial(bitmap: Uint8Array): void {
    for (let column = 0; column < this.#count; column += 1) {
      if (((bitmap[column >> 3] as number) & (1 << (column & 7))) !== 0) continue;
      throw new TandemError('capture-unreadable', `rows of ${this.#table} do not carry column ${column + 1}: some session has set binlog_row_image below FULL`, {
        details: { table: this.#table, setting: 'binlog_row_image', expected: 'FULL' },
      });
    }
  }
}

/** Only of the types they are meant to have; else the column is looked up in the image, where its fault is named. */
function roleOf({ name, type, unsigned }: TableColumn): Role {
  if (name === 'id' && type === TYPE.longlong && !unsigned) return 'id';
  if (name === 'unit' && type === TYPE.tiny && unsigned) return 'unit';
  if (name === VERSION_COLUMNS.hlc && type === TYPE.longlong && unsigned) return 'hlc';
  return name === VERSION_COLUMNS.origin && type === TYPE.tiny && unsigned ? 'origin' : undefined;
}
