/** Both engines give a table the same fingerprint; a column that holds other values gives another one. */
import { describe, expect, it } from 'vitest';
import { normalType, schemaFingerprint } from '../../../cdc/change/schema-fingerprint.ts';

const table = [{ name: 'id', type: 'bigint(20)' }, { name: 'note', type: 'longtext' }, { name: 'kind', type: "enum('A','b c')" }];

describe('the fingerprint of a table', () => {
  it('is eight hex digits that never change: they are on the wire', () => {
    expect(schemaFingerprint(table)).toBe('d8ac0506');
  });

  it('does not depend on the order of columns', () => {
    expect(schemaFingerprint(table.toReversed())).toBe(schemaFingerprint(table));
  });

  it('is the same on MySQL, which prints no display widths and has JSON as a type', () => {
    expect(schemaFingerprint([{ name: 'id', type: 'bigint' }, { name: 'note', type: 'json' }, { name: 'kind', type: "enum('A','b c')" }])).toBe(schemaFingerprint(table));
  });

  it.each([
    ['a column more', [...table, { name: 'more', type: 'int' }]],
    ['a column less', table.slice(1)],
    ['another name', [...table.slice(1), { name: 'ID', type: 'bigint' }]],
    ['another sign', [...table.slice(1), { name: 'id', type: 'bigint(20) unsigned' }]],
    ['another member', [...table.slice(0, 2), { name: 'kind', type: "enum('a','b c')" }]],
  ])('differs with %s', (_what, other) => {
    expect(schemaFingerprint(other)).not.toBe(schemaFingerprint(table));
  });
});

it.each([
  ['int(11)', 'int'], ['INT(10) UNSIGNED', 'int unsigned'], ['int(5) unsigned zerofill', 'int unsigned'], ['tinyint(1)', 'tinyint'],
  ['year(4)', 'year'], ['varchar(20)', 'varchar(20)'], ['decimal(65,30)', 'decimal(65,30)'], ['datetime(6)', 'datetime(6)'], ['json', 'longtext'],
  ["ENUM('int(3)','X')", "enum('int(3)','X')"], ['geomcollection', 'geometrycollection'], ['datetime /* mariadb-5.3 */', 'datetime'], ['bit(64)', 'bit(64)'],
])('%s and %s are one type', (printed, normal) => {
  expect(normalType(printed)).toBe(normal);
});
