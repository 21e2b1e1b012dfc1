/** Which table a migration's statement is about, what it adds and removes, and which phase it may stand in. */
import { expect, test } from 'vitest';
import { loadMigrations, parseMigration } from '../../../shared/schema/migrations.ts';
import { additionsOf, phaseOf, phaseProblem, removalsOf, tableOf } from '../../../shared/schema/statement-shape.ts';

test('a statement is about one table, whatever it does to it', () => {
  expect(['ALTER TABLE `rides`\n ADD COLUMN a INT', 'create table if not exists rides (id INT)', 'UPDATE rides SET a = 1', 'INSERT IGNORE INTO rides VALUES (1)',
    'CREATE UNIQUE INDEX k ON rides (a)', 'DROP INDEX k ON rides', 'DROP TABLE IF EXISTS rides', 'DELETE FROM rides'].map(tableOf)).toEqual(Array.from({ length: 8 }, () => 'rides'));
  expect(tableOf('SET @a = 1')).toBeNull();
});

test('columns and keys that an ALTER adds are found clause by clause', () => {
  const sql = "ALTER TABLE zoo ADD COLUMN price DECIMAL(10,2) NOT NULL DEFAULT '1,2' AFTER a, ADD b INT, ADD UNIQUE KEY k (a, b), ADD INDEX l (b), MODIFY c INT, ADD PRIMARY KEY (id)";
  expect(additionsOf(sql)).toEqual({ columns: ['price', 'b'], keys: ['k', 'l'] });
  expect(additionsOf('CREATE TABLE t (id INT)')).toEqual({ columns: [], keys: [] });
});

test('columns and tables that go are found; keys are neither', () => {
  expect(removalsOf('ALTER TABLE zoo DROP COLUMN a, DROP `b`, DROP KEY k, DROP PRIMARY KEY, DROP CHECK c')).toEqual([
    { table: 'zoo', column: 'a' }, { table: 'zoo', column: 'b' },
  ]);
  expect(removalsOf('DROP TABLE IF EXISTS zoo')).toEqual([{ table: 'zoo', column: null }]);
  expect(removalsOf("UPDATE zoo SET a = 'DROP COLUMN b'")).toEqual([]);
});

test('a file has one phase, expand where it says nothing', () => {
  expect(phaseOf('-- words\nSELECT 1;')).toBe('expand');
  expect(phaseOf('-- words\n-- phase: contract\nDROP TABLE a;')).toBe('contract');
  expect(() => phaseOf('-- phase: later\n')).toThrow(RangeError);
  expect(() => phaseOf('-- phase: expand\n-- phase: contract\n')).toThrow(RangeError);
});

test('what removes is refused in an expand file, a rename in one step in either', () => {
  expect(phaseProblem('expand', 'ALTER TABLE zoo DROP COLUMN a')).toContain('zoo.a');
  expect(phaseProblem('contract', 'ALTER TABLE zoo DROP COLUMN a')).toBeNull();
  expect(phaseProblem('contract', 'ALTER TABLE zoo RENAME COLUMN a TO b')).toContain('one step');
  expect(phaseProblem('contract', 'ALTER TABLE zoo CHANGE a b INT')).toContain('one step');
  expect(phaseProblem('contract', 'ALTER TABLE zoo CHANGE a a SMALLINT')).toBeNull();
  expect(phaseProblem('expand', 'ALTER TABLE zoo DROP KEY k')).toBeNull();
  expect(() => parseMigration('0099-bad', 99, 'DROP TABLE zoo;')).toThrow(/0099-bad removes the table zoo/);
});

test('the migrations that are shipped keep to their phases', async () => {
  expect((await loadMigrations()).length).toBeGreaterThan(7);
});
