/** A replicated table with a column of each type that travels through Debezium, and rows at the edges of them. */
export const ZOO = `CREATE TABLE zoo (
  id BIGINT NOT NULL PRIMARY KEY,
  ti TINYINT, tu TINYINT UNSIGNED, flag TINYINT(1), si SMALLINT, mi MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED,
  d DECIMAL(30,10), d0 DECIMAL(18,0), f FLOAT, g DOUBLE,
  da DATE, t TIME, t6 TIME(6), dt DATETIME, dt3 DATETIME(3), dt6 DATETIME(6), ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL, y YEAR,
  bit1 BIT(1), bit10 BIT(10), bit64 BIT(64),
  e ENUM('small','large','größer'), s SET('x','y','z'), j JSON,
  c CHAR(10), l CHAR(10) CHARACTER SET latin1, v VARCHAR(200), tx MEDIUMTEXT, bi BINARY(4), vb VARBINARY(16), bl BLOB,
  unit TINYINT UNSIGNED NOT NULL,
  _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`;

const COLUMNS = 'id, ti, tu, flag, si, mi, i, iu, b, bu, d, d0, f, g, da, t, t6, dt, dt3, dt6, ts, ts6, y, bit1, bit10, bit64, e, s, j, c, l, v, tx, bi, vb, bl, unit';

const LARGEST = `127, 255, 1, 32767, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615,
  99999999999999999999.9999999999, 999999999999999999, 3.25e38, 1.7976931348623157e308,
  '9999-12-31', '838:59:59', '838:59:58.999999', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:07.999999', 2155,
  b'1', b'1111111111', b'${'1'.repeat(64)}', 'größer', 'x,y,z', '{"a": [1, 2.5, "ü", null, true], "b": {"c": -1.5e-7}}',
  'ten chars!', 'Ünlauts', 'naïve 🚕', REPEAT('long ', 20000), x'00ff7f80', x'00', x'000102feff'`;
const SMALLEST = `-128, 0, 0, -32768, 0, -2147483648, 0, -9223372036854775808, 0,
  -99999999999999999999.9999999999, -1, -1.5e-38, -2.2250738585072014e-308,
  '1000-01-01', '-838:59:59', '-00:00:00.000001', '1000-01-01 00:00:00', '1969-12-31 23:59:59.999', '1969-12-31 23:59:59.999999', '1970-01-01 00:00:01', '1970-01-01 00:00:01.000001', 1901,
  b'0', b'1', b'1', 'small', '', '[]', '', '', '', '', x'00000000', '', ''`;
const NULLS = Array.from({ length: COLUMNS.split(',').length - 2 }, () => 'NULL').join(', ');

/** Rows with the ids `first` and the two after it. */
export function zooRows(first: number): string {
  return `INSERT INTO zoo (${COLUMNS}) VALUES (${first}, ${LARGEST}, 1), (${first + 1}, ${SMALLEST}, 2), (${first + 2}, ${NULLS}, 3)`;
}
