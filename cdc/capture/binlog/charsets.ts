/**
 * Bytes of a character set → text.
 *
 * Invariant: a character set is either read exactly as the server reads it or refused; nothing is replaced by a question
 * mark. Which collation belongs to which character set is asked of the server, as the engines number them differently.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export const BINARY_COLLATION = 63;

export interface Charset {
  readonly name: string;
  /** Bytes of its longest character. */
  readonly maxBytes: number;
}

/** By collation id. */
export type Charsets = ReadonlyMap<number, Charset>;

/** Both engines; MariaDB has collations that share one name across character sets, and says so only in the second table. */
export const CHARSETS_SQL = {
  mysql: `SELECT c.ID AS id, c.CHARACTER_SET_NAME AS name, s.MAXLEN AS maxBytes
          FROM information_schema.COLLATIONS c JOIN information_schema.CHARACTER_SETS s USING (CHARACTER_SET_NAME)`,
  mariadb: `SELECT a.ID AS id, a.CHARACTER_SET_NAME AS name, s.MAXLEN AS maxBytes
            FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY a JOIN information_schema.CHARACTER_SETS s USING (CHARACTER_SET_NAME)`,
} as const;

export function charsetsOf(rows: readonly { readonly id: string | number; readonly name: string; readonly maxBytes: string | number }[]): Charsets {
  return new Map(rows.map(({ id, name, maxBytes }) => [Number(id), { name: name.toLowerCase(), maxBytes: Number(maxBytes) }]));
}

/** Their bytes are UTF-8 already. */
const UTF8 = new Set(['utf8mb4', 'utf8mb3', 'utf8', 'ascii']);

/**
 * MySQL's name → the encoding standard's, only where the two tables agree byte for byte (test/conformance/wire/charsets.mysql.test.ts).
 * MySQL's latin1 is cp1252; its latin5, greek, hebrew, cp866, koi8u, gbk, big5, euckr and ujis differ from those of the same name.
 */
const ENCODINGS: Readonly<Record<string, string>> = {
  latin1: 'windows-1252', latin2: 'iso-8859-2', latin7: 'iso-8859-13', koi8r: 'koi8-r',
  cp1250: 'windows-1250', cp1251: 'windows-1251', cp1256: 'windows-1256', cp1257: 'windows-1257',
  utf16: 'utf-16be', ucs2: 'utf-16be', utf16le: 'utf-16le',
};

/** 'utf8': copy the bytes. */
export type Decoding = 'utf8' | 'binary' | ((bytes: Uint8Array) => string);

/** Throws capture-unreadable for a character set that is not known here. */
export function decodingOf(charsets: Charsets, collation: number | undefined, where: string): Decoding {
  if (collation === undefined || collation === BINARY_COLLATION) return 'binary';
  const name = charsets.get(collation)?.name ?? `number ${collation}`;
  if (name === 'binary') return 'binary';
  if (UTF8.has(name)) return 'utf8';
  if (name === 'utf32') return utf32;
  const encoding = ENCODINGS[name];
  if (encoding === undefined) {
    throw new TandemError('capture-unreadable', `column ${where} is in character set ${name}, which cannot be captured: convert the column to utf8mb4`, { details: { column: where, charset: name } });
  }
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  return (bytes) => {
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new TandemError('capture-unreadable', `column ${where} holds bytes that are no ${name}`, { cause, details: { column: where, charset: name } });
    }
  };
}

function utf32(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 0; at + 4 <= bytes.length; at += 4) text += String.fromCodePoint(view.getUint32(at));
  return text;
}
