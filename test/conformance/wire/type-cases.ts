/** The column types that travel: how each is declared, its extremes, and random values of it, all as SQL text. */
import * as fc from 'fast-check';
import type { RawRow } from '../../../shared/mysql/raw-connection.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import type { Column } from './wire-lab.ts';

export interface TypeCase {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly extremes: readonly string[];
  readonly random?: fc.Arbitrary<string>;
  /** Default: both. */
  readonly engines?: readonly TestMysql['engine'][];
  /** False where the engines' types do not agree. */
  readonly across?: boolean;
  /** False where a strict session, as apply's is, cannot write what stands at the source. */
  readonly mirrors?: boolean;
  /** What the mirror gives, where it is not the very same. */
  readonly mirrored?: (row: RawRow) => RawRow;
}

const hex = (bytes: Uint8Array): string => (bytes.length === 0 ? "''" : `x'${Buffer.from(bytes).toString('hex')}'`);
/** UTF-8 bytes, so that no escaping can lie. */
const utf8 = (text: string): string => (text === '' ? "''" : `CONVERT(${hex(Buffer.from(text))} USING utf8mb4)`);
const orNull = (value: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.option(value, { freq: 8 }).map((text) => text ?? 'NULL');
const whole = (min: bigint, max: bigint): fc.Arbitrary<string> => orNull(fc.bigInt({ min, max }).map(String));
const text = (maxLength: number): fc.Arbitrary<string> => orNull(fc.string({ unit: 'binary', maxLength }).map(utf8));
const bytes = (maxLength: number): fc.Arbitrary<string> => orNull(fc.uint8Array({ maxLength }).map(hex));
const two = (n: number): string => String(n).padStart(2, '0');
const fraction = (decimals: number): fc.Arbitrary<string> =>
  decimals === 0 ? fc.constant('') : fc.integer({ min: 0, max: 10 ** decimals - 1 }).map((n) => `.${String(n).padStart(decimals, '0')}`);
const day = fc.tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([y, m, d]) => `${String(y).padStart(4, '0')}-${two(m)}-${two(d)}`);
const clock = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 59 })).map((all) => all.map(two).join(':'));
const quoted = (value: fc.Arbitrary<string>): fc.Arbitrary<string> => orNull(value.map((each) => `'${each}'`));
const datetime = (decimals: number): fc.Arbitrary<string> => quoted(fc.tuple(day, clock, fraction(decimals)).map(([d, c, f]) => `${d} ${c}${f}`));
const timestamp = (decimals: number): fc.Arbitrary<string> =>
  quoted(fc.tuple(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fraction(decimals)).map(([s, f]) => `${new Date(s * 1000).toISOString().slice(0, 19).replace('T', ' ')}${f}`));
const time = (decimals: number): fc.Arbitrary<string> =>
  quoted(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 838 }), fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 58 }), fraction(decimals))
    .map(([negative, h, m, s, f]) => `${negative ? '-' : ''}${two(h)}:${two(m)}:${two(s)}${f}`));

const digits = (n: number): fc.Arbitrary<string> => fc.array(fc.integer({ min: 0, max: 9 }), { minLength: n, maxLength: n }).map((all) => all.join(''));

function decimal(precision: number, scale: number): fc.Arbitrary<string> {
  return orNull(fc.tuple(fc.boolean(), digits(precision - scale), digits(scale)).map(([negative, int, frac]) => `${negative ? '-' : ''}${int === '' ? '0' : int}${scale === 0 ? '' : `.${frac}`}`));
}

const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? '-0e0' : Number.isInteger(n) && Math.abs(n) < 1e15 ? String(n) : n.toExponential()));
const float = fc.float({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? '-0e0' : n.toExponential()));

const members = Array.from({ length: 64 }, (_, i) => (i === 63 ? "it's" : i === 62 ? 'Größe 🚕' : `m${i}`));
const set64 = `SET(${members.map((member) => `'${member.replace("'", "''")}'`).join(',')}) CHARACTER SET utf8mb4`;
const mask = orNull(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String));
const latin1 = Array.from({ length: 256 }, (_, i) => i).filter((code) => ![0x81, 0x8d, 0x8f, 0x90, 0x9d].includes(code));

const geometry = fc.tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.double({ min: -1e6, max: 1e6, noNaN: true })).map(([x, y]) => `ST_GeomFromText('POINT(${x} ${y})')`);
const json = fc.json({ noUnicodeString: false, maxDepth: 4 });

export const CASES: readonly TypeCase[] = [
  { name: 'TINYINT, SMALLINT, MEDIUMINT and INT', columns: ['TINYINT', 'SMALLINT', 'MEDIUMINT', 'INT'].map((ddl) => ({ ddl })), extremes: ['0', '-1', '127', '-128', 'NULL'], random: whole(-128n, 127n) },
  { name: 'TINYINT UNSIGNED', columns: [{ ddl: 'TINYINT UNSIGNED' }, { ddl: 'TINYINT(1) UNSIGNED' }], extremes: ['0', '255', 'NULL'], random: whole(0n, 255n) },
  { name: 'SMALLINT to its ends', columns: [{ ddl: 'SMALLINT' }], extremes: ['-32768', '32767'], random: whole(-32_768n, 32_767n) },
  { name: 'SMALLINT UNSIGNED', columns: [{ ddl: 'SMALLINT UNSIGNED' }], extremes: ['0', '65535'], random: whole(0n, 65_535n) },
  { name: 'MEDIUMINT to its ends', columns: [{ ddl: 'MEDIUMINT' }], extremes: ['-8388608', '8388607'], random: whole(-8_388_608n, 8_388_607n) },
  { name: 'MEDIUMINT UNSIGNED', columns: [{ ddl: 'MEDIUMINT UNSIGNED' }], extremes: ['0', '16777215'], random: whole(0n, 16_777_215n) },
  { name: 'INT to its ends', columns: [{ ddl: 'INT' }, { ddl: 'INT(5)' }], extremes: ['-2147483648', '2147483647'], random: whole(-(2n ** 31n), 2n ** 31n - 1n) },
  { name: 'INT UNSIGNED', columns: [{ ddl: 'INT UNSIGNED' }, { ddl: 'INT ZEROFILL' }], extremes: ['0', '4294967295'], random: whole(0n, 2n ** 32n - 1n) },
  { name: 'BIGINT past 2^53', columns: [{ ddl: 'BIGINT' }], extremes: ['-9223372036854775808', '9223372036854775807', '9007199254740993', '-1', '0', '-4294967296', '999999999', '1000000000', '-1000000000'], random: whole(-(2n ** 63n), 2n ** 63n - 1n) },
  { name: 'BIGINT UNSIGNED past 2^63', columns: [{ ddl: 'BIGINT UNSIGNED' }], extremes: ['0', '18446744073709551615', '9223372036854775808', '10000000000000000000'], random: whole(0n, 2n ** 64n - 1n) },
  { name: 'DECIMAL(65,30)', columns: [{ ddl: 'DECIMAL(65,30)' }], extremes: ['0', '-0.000000000000000000000000000001', `${'9'.repeat(35)}.${'9'.repeat(30)}`, `-${'9'.repeat(35)}.${'9'.repeat(30)}`], random: decimal(65, 30) },
  { name: 'DECIMAL of other sizes', columns: [{ ddl: 'DECIMAL(5,2)' }, { ddl: 'DECIMAL(10,2) UNSIGNED' }, { ddl: 'DECIMAL(18,9)' }, { ddl: 'DECIMAL(65,0)' }, { ddl: 'DECIMAL(30,30)' }], extremes: ['0', 'NULL', '0.99', '0.01'], random: orNull(fc.integer({ min: 0, max: 99 }).map((n) => `0.${two(n)}`)) },
  { name: 'DOUBLE to its last bit, -0 and denormals included', columns: [{ ddl: 'DOUBLE' }], extremes: ['0', '-0e0', '0.1', '1e20', '-1e20', '1.7976931348623157e308', '2.2250738585072014e-308', '9007199254740993', '123456789012345680000', 'NULL'], random: orNull(double.filter((n) => !/e-3[012]\d$/.test(n))) },
  { name: 'FLOAT, to all of its digits', columns: [{ ddl: 'FLOAT', isFloat: true, selected: 'CAST(v AS DOUBLE)' }], extremes: ['0', '-0e0', '0.1', '16777216', '16777217', '3.4028234e38', '-3.4028234e38', '1.17549435e-38', '8388607.5', 'NULL'], random: orNull(float.filter((n) => !/e-(?:3[89]|4\d)$/.test(n))) },
  { name: 'YEAR, 0000 included', columns: [{ ddl: 'YEAR' }], extremes: ['0', '1901', '2155', 'NULL'], random: orNull(fc.integer({ min: 1901, max: 2155 }).map(String)) },
  { name: 'DATE', columns: [{ ddl: 'DATE' }], extremes: ["'1000-01-01'", "'9999-12-31'", "'2024-02-29'", 'NULL'], random: quoted(day) },
  { name: 'zero dates', columns: [{ ddl: 'DATE' }, { ddl: 'DATETIME' }, { ddl: 'DATETIME(6)' }], extremes: ["'0000-00-00'", "'2024-00-00'", "'2024-05-00'"] },
  { name: 'a zero TIMESTAMP', columns: [{ ddl: "TIMESTAMP NULL DEFAULT '0000-00-00 00:00:00'" }, { ddl: 'TIMESTAMP(6) NULL' }], extremes: ["'0000-00-00 00:00:00'", 'NULL'] },
  { name: 'TIME, negative and over a day', columns: [{ ddl: 'TIME' }], extremes: ["'838:59:59'", "'-838:59:59'", "'00:00:00'", "'-00:00:01'", 'NULL'], random: time(0) },
  { name: 'TIME(6), TIME(3) and TIME(1)', columns: [6, 3, 1].map((n) => ({ ddl: `TIME(${n})` })), extremes: ["'-00:00:00.1'", "'-838:59:58.9'", "'100:00:00.5'"], random: time(1) },
  { name: 'TIME(6) to the microsecond', columns: [{ ddl: 'TIME(6)' }], extremes: ["'-00:00:00.000001'", "'00:00:00.000001'", "'-12:34:56.999999'"], random: time(6) },
  { name: 'DATETIME(6)', columns: [{ ddl: 'DATETIME(6)' }], extremes: ["'1000-01-01 00:00:00.000000'", "'9999-12-31 23:59:59.999999'", 'NULL'], random: datetime(6) },
  { name: 'DATETIME of 0 to 5 decimals', columns: [0, 1, 2, 3, 4, 5].map((n) => ({ ddl: `DATETIME(${n})` })), extremes: ["'2026-03-29 02:30:00'", 'NULL'], random: datetime(0) },
  { name: 'DATETIME(3)', columns: [{ ddl: 'DATETIME(3)' }], extremes: ["'2026-03-29 02:30:00.007'"], random: datetime(3) },
  { name: 'TIMESTAMP(6), hours that a time zone skips included', columns: [{ ddl: 'TIMESTAMP(6) NULL' }], extremes: ["'1970-01-01 00:00:01.000000'", "'2038-01-19 03:14:07.999999'", "'2026-03-29 02:30:00.5'", 'NULL'], random: timestamp(6) },
  { name: 'TIMESTAMP', columns: [{ ddl: 'TIMESTAMP NULL' }, { ddl: 'TIMESTAMP(3) NULL' }], extremes: ["'2000-02-29 23:59:59'", "'2100-01-01 00:00:00'"].slice(0, 1), random: timestamp(0) },
  { name: 'an ENUM that a careless session set to no member: the empty text', mirrors: false, columns: [{ ddl: "ENUM('a','b')" }], extremes: ["'nonsense'", "'a'"] },
  { name: 'BIT(64)', columns: [{ ddl: 'BIT(64)' }], extremes: ['0', '1', '18446744073709551615', '9223372036854775808', 'NULL'], random: mask },
  { name: 'BIT of 1, 7, 8, 9 and 33', columns: [1, 7, 8, 9, 33].map((n) => ({ ddl: `BIT(${n})` })), extremes: ['0', '1', 'NULL'] },
  { name: 'ENUM, empty and quoted members included', columns: [{ ddl: "ENUM('a','B','it''s','Größe 🚕','') CHARACTER SET utf8mb4" }], extremes: ['1', '2', '3', '4', '5', 'NULL'] },
  { name: 'ENUM of 300 members', columns: [{ ddl: `ENUM(${Array.from({ length: 300 }, (_, i) => `'m${i}'`).join(',')})` }], extremes: ['1', '255', '256', '300'], random: orNull(fc.integer({ min: 1, max: 300 }).map(String)) },
  { name: 'SET of 64 members', columns: [{ ddl: set64 }], extremes: ['0', '1', '18446744073709551615', '9223372036854775808', 'NULL'], random: mask },
  { name: 'VARCHAR and TEXT in utf8mb4, emoji and quotes included', columns: [{ ddl: 'VARCHAR(200) CHARACTER SET utf8mb4' }, { ddl: 'TEXT CHARACTER SET utf8mb4' }, { ddl: 'VARCHAR(2000) CHARACTER SET utf8mb4' }], extremes: ["''", utf8('🚕👩‍🚀é\u0000\u0001\u001f"\\\n\r\t\b\f'), utf8('ends with spaces   '), utf8('\u2028\uFEFF'), 'NULL'], random: text(150) },
  { name: 'CHAR in utf8mb4', columns: [{ ddl: 'CHAR(90) CHARACTER SET utf8mb4' }, { ddl: 'CHAR(3) CHARACTER SET ascii' }], extremes: ["''", "'abc'", 'NULL'] },
  { name: 'CHAR in latin1, all of its letters', columns: [{ ddl: 'CHAR(1) CHARACTER SET latin1' }, { ddl: 'VARCHAR(9) CHARACTER SET latin1' }], extremes: latin1.filter((code) => code !== 0x20).map((code) => `_latin1 x'${code.toString(16).padStart(2, '0')}'`) },
  { name: 'utf8mb3, ascii and binary collations', columns: [{ ddl: 'VARCHAR(50) CHARACTER SET utf8mb3' }, { ddl: 'VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' }], extremes: ["'Abc'", utf8('Größe ☃'), "''"] },
  { name: 'UCS-2, UTF-16 and UTF-32', columns: ['ucs2', 'utf16', 'utf16le', 'utf32'].map((set) => ({ ddl: `VARCHAR(50) CHARACTER SET ${set}` })), extremes: [utf8('Größe ☃'), "''", 'NULL'] },
  { name: 'BINARY with zeros at its end', columns: [{ ddl: 'BINARY(16)' }], extremes: ["x'00'", "x'ff00'", "x'0a00000000000000000000000000000b'", "''", 'NULL'], random: bytes(16) },
  { name: 'BINARY(255)', columns: [{ ddl: 'BINARY(255)' }], extremes: ["x'01'", `x'${'00'.repeat(254)}01'`] },
  { name: 'VARBINARY and BLOB, empty against NULL', columns: [{ ddl: 'VARBINARY(300)' }, { ddl: 'TINYBLOB' }, { ddl: 'BLOB' }, { ddl: 'MEDIUMBLOB' }, { ddl: 'LONGBLOB' }], extremes: ["''", 'NULL', "x'00'", "x'ff'"], random: bytes(200) },
  { name: 'text that is longer than a slab', columns: [{ ddl: 'LONGTEXT CHARACTER SET utf8mb4' }, { ddl: 'LONGBLOB' }], extremes: ["REPEAT('a\"', 40000)", "REPEAT('z', 300000)", 'REPEAT(CHAR(1), 5000)', "''"] },
  { name: 'JSON as MySQL keeps it: doubles, 64-bit integers, order, depth', engines: ['mysql'], columns: [{ ddl: 'JSON' }], extremes: [
    `'{"b": 1.0, "a": [1, -1, 65536, 4294967296, 9223372036854775807, 18446744073709551615, -9223372036854775808], "aa": {"": null, "t": true, "f": false}}'`,
    `'[1e100, 1e15, 123456789012345.0, 1234567890123456.0, 0.00001, 1e-15, -0.0, 5e-10, 1.5, 100.0]'`, `'"é🚕\\\\u0001\\\\n\\\\"\\\\\\\\"'`, `'null'`, 'NULL', `'[]'`, `'{}'`, `'[[[[[[[[[[[[1]]]]]]]]]]]]'`,
    `JSON_OBJECT('long', REPEAT('x', 70000), 'n', 70000)`, `JSON_ARRAY(${Array.from({ length: 300 }, (_, i) => i * 1000).join(', ')})`,
  ], random: orNull(json.map((each) => `CAST(${utf8(each)} AS JSON)`)) },
  { name: 'JSON as MariaDB keeps it: as it was typed', engines: ['mariadb'], across: false, columns: [{ ddl: 'JSON' }], extremes: [`'{"b": 1.0,  "a":[1]}'`, `'null'`, 'NULL', `'"é🚕"'`], random: orNull(json.map(utf8)) },
  { name: 'JSON text that both engines print alike', columns: [{ ddl: 'JSON' }], extremes: [`'{"a": 1, "b": [1, 2.5, "x"]}'`, `'[]'`, `'"🚕"'`, 'NULL'] },
  { name: 'decimals and times within JSON keep their value', engines: ['mysql'], columns: [{ ddl: 'JSON' }], extremes: [
    `JSON_ARRAY(CAST('2026-01-02' AS DATE), CAST('2026-01-02 03:04:05.678901' AS DATETIME(6)), CAST('-12:34:56.5' AS TIME(1)))`,
  ] },
  { name: 'a generated column', columns: [{ ddl: 'INT, g INT AS (v * 2) STORED' }, { ddl: 'INT, g INT AS (v + 1) VIRTUAL' }], extremes: ['1', '-5', 'NULL'] },
  { name: 'GEOMETRY, as its bytes', columns: [{ ddl: 'GEOMETRY', selected: 'CAST(v AS BINARY)' }, { ddl: "POINT, g VARCHAR(5) CHARACTER SET latin1 AS ('é') STORED", selected: 'CAST(v AS BINARY)' }], extremes: ["ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(0 -2)')", 'NULL'], random: orNull(geometry) },
  { name: 'LINESTRING and POLYGON', columns: [{ ddl: 'GEOMETRY', selected: 'CAST(v AS BINARY)' }], extremes: ["ST_GeomFromText('LINESTRING(0 0, 1.5 -2)')", "ST_GeomFromText('POLYGON((0 0, 0 5, 5 5, 0 0))')"] },
  { name: 'VECTOR', engines: ['mysql'], columns: [{ ddl: 'VECTOR(3)', selected: 'CAST(v AS BINARY)' }], extremes: ["STRING_TO_VECTOR('[1, -2.5, 1e10]')", 'NULL'] },
];
