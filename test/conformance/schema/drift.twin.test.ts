/**
 * The two regions' tables are not alike for a while: what the target lacks is waited for by name, and goes on by itself.
 *
 * DDL is never copied: each region is migrated by itself (`tandem migrate`), and in between the changes must neither be lost nor bent.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engines } from '../../harness/mysql.ts';
import { startTwin, until } from '../../cdc/twin.ts';
import type { Side, Twin } from '../../cdc/twin.ts';

interface Case {
  readonly name: string;
  /** What stands in both before: a table `things (id, n INT, word VARCHAR(8), …)` with a row of id 1. */
  readonly ddl: readonly `${Side}: ${string}`[];
  /** Written in the east afterwards. */
  readonly write: readonly string[];
  /** What apply in the west must name; null: it must not wait at all. */
  readonly waitsFor: string | null;
  /** What ends the wait. */
  readonly mend?: readonly `${Side}: ${string}`[];
  /** Columns and rows that the west shows at the end. */
  readonly west: readonly [columns: string, ...rows: string[]];
}

/** `T` stands for a table of the case's own. */
const CASES: readonly Case[] = [
  {
    name: 'a column added at the source',
    ddl: ['east: ALTER TABLE T ADD COLUMN colour VARCHAR(8) NULL'], write: ["INSERT INTO T (id, n, word, colour) VALUES (2, 2, 'b', 'red')"],
    waitsFor: 'T.colour', mend: ['west: ALTER TABLE T ADD COLUMN colour VARCHAR(8) NULL'], west: ['id, colour', '1 -', '2 red'],
  },
  {
    name: 'a column added at the target, with a default',
    ddl: ["west: ALTER TABLE T ADD COLUMN colour VARCHAR(8) NOT NULL DEFAULT 'none'"], write: ["INSERT INTO T (id, n, word) VALUES (2, 2, 'b')", 'UPDATE T SET n = 3 WHERE id = 1'],
    waitsFor: null, west: ['id, n, colour', '1 3 none', '2 2 none'],
  },
  {
    name: 'a column added at the target, NOT NULL and without a default: an insert waits rather than invent a value',
    ddl: ['west: ALTER TABLE T ADD COLUMN colour VARCHAR(8) NOT NULL'], write: ["INSERT INTO T (id, n, word) VALUES (2, 2, 'b')"],
    waitsFor: 'T.colour', mend: ["west: ALTER TABLE T ALTER COLUMN colour SET DEFAULT 'late'"], west: ['id, colour', '1 ', '2 late'],
  },
  {
    name: 'a column dropped at the target alone',
    ddl: ['west: ALTER TABLE T DROP COLUMN word'], write: ["UPDATE T SET word = 'kept' WHERE id = 1"],
    waitsFor: 'T.word', mend: ['west: ALTER TABLE T ADD COLUMN word VARCHAR(8) NULL'], west: ['id, word', '1 kept'],
  },
  {
    name: 'a column dropped at the source: the target keeps what it has',
    ddl: ['west: ALTER TABLE T MODIFY word VARCHAR(8) NULL', 'east: ALTER TABLE T DROP COLUMN word'], write: ['UPDATE T SET n = 3 WHERE id = 1', 'INSERT INTO T (id, n) VALUES (2, 2)'],
    waitsFor: null, west: ['id, n, word', '1 3 a', '2 2 -'],
  },
  {
    name: 'a column dropped at the source that the target needs',
    ddl: ['east: ALTER TABLE T DROP COLUMN word'], write: ['INSERT INTO T (id, n) VALUES (2, 2)'],
    waitsFor: 'T.word', mend: ['west: ALTER TABLE T DROP COLUMN word'], west: ['id, n', '1 1', '2 2'],
  },
  {
    name: 'a column renamed at the source',
    ddl: ['east: ALTER TABLE T RENAME COLUMN word TO phrase'], write: ["UPDATE T SET phrase = 'new' WHERE id = 1"],
    waitsFor: 'T.phrase', mend: ['west: ALTER TABLE T RENAME COLUMN word TO phrase'], west: ['id, phrase', '1 new'],
  },
  {
    name: 'a column renamed at the target',
    ddl: ['west: ALTER TABLE T RENAME COLUMN word TO phrase'], write: ["UPDATE T SET word = 'new' WHERE id = 1"],
    waitsFor: 'T.word', mend: ['west: ALTER TABLE T RENAME COLUMN phrase TO word'], west: ['id, word', '1 new'],
  },
  {
    name: 'a column widened at the source, with a value too long for the target: not cut, not parked',
    ddl: ['east: ALTER TABLE T MODIFY word VARCHAR(80) NOT NULL'], write: ["UPDATE T SET word = 'longer than eight' WHERE id = 1"],
    waitsFor: 'T.word', mend: ['west: ALTER TABLE T MODIFY word VARCHAR(80) NOT NULL'], west: ['id, word', '1 longer than eight'],
  },
  {
    name: 'a number widened at the source, with a value too large for the target',
    ddl: ['east: ALTER TABLE T MODIFY n BIGINT NOT NULL'], write: ['UPDATE T SET n = 9000000000000000001 WHERE id = 1'],
    waitsFor: 'T.n', mend: ['west: ALTER TABLE T MODIFY n BIGINT NOT NULL'], west: ['id, n', '1 9000000000000000001'],
  },
  {
    name: 'a column widened at the target',
    ddl: ['west: ALTER TABLE T MODIFY n BIGINT NOT NULL', 'west: ALTER TABLE T MODIFY word TEXT NOT NULL'], write: ["UPDATE T SET n = -5, word = 'x' WHERE id = 1"],
    waitsFor: null, west: ['id, n, word', '1 -5 x'],
  },
  {
    name: 'a number narrowed at the target',
    ddl: ['west: ALTER TABLE T MODIFY n TINYINT NOT NULL'], write: ['UPDATE T SET n = 300 WHERE id = 1'],
    waitsFor: 'T.n', mend: ['west: ALTER TABLE T MODIFY n INT NOT NULL'], west: ['id, n', '1 300'],
  },
  {
    name: 'a number that became a text at the source',
    ddl: ['east: ALTER TABLE T MODIFY n VARCHAR(20) NOT NULL'], write: ["UPDATE T SET n = 'seven' WHERE id = 1"],
    waitsFor: 'T.n', mend: ['west: ALTER TABLE T MODIFY n VARCHAR(20) NOT NULL'], west: ['id, n', '1 seven'],
  },
  {
    name: 'NULL where the target has NOT NULL still',
    ddl: ['east: ALTER TABLE T MODIFY word VARCHAR(8) NULL'], write: ['UPDATE T SET word = NULL WHERE id = 1'],
    waitsFor: 'T.word', mend: ['west: ALTER TABLE T MODIFY word VARCHAR(8) NULL'], west: ['id, word', '1 -'],
  },
  {
    name: 'a table that the target lacks',
    ddl: ['west: RENAME TABLE T TO T_gone'], write: ["INSERT INTO T (id, n, word) VALUES (2, 2, 'b')"],
    waitsFor: 'T', mend: ['west: RENAME TABLE T_gone TO T'], west: ['id, n', '1 1', '2 2'],
  },
  {
    name: 'columns in another order',
    ddl: ['west: ALTER TABLE T MODIFY word VARCHAR(8) NOT NULL FIRST'], write: ["INSERT INTO T (id, n, word) VALUES (2, 2, 'b')"],
    waitsFor: null, west: ['id, n, word', '1 1 a', '2 2 b'],
  },
  {
    name: 'a generated column at the target',
    ddl: ['west: ALTER TABLE T ADD COLUMN twice INT AS (n * 2) STORED'], write: ["INSERT INTO T (id, n, word) VALUES (2, 21, 'b')"],
    waitsFor: null, west: ['id, twice', '1 2', '2 42'],
  },
];

const tableOf = (index: number): string => `things_${index}`;
const DDL = (index: number): string => `CREATE TABLE ${tableOf(index)} (
  id BIGINT NOT NULL PRIMARY KEY, n INT NOT NULL, word VARCHAR(8) NOT NULL, unit TINYINT UNSIGNED NOT NULL DEFAULT ${index % 4},
  _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE) DEFAULT CHARSET=utf8mb4`;

describe.each(await engines())('tables that differ, on %s', (engine) => {
  let twin: Twin;
  beforeAll(async () => {
    twin = await startTwin(engine, { extraTables: Object.fromEntries(CASES.map((_, i) => [tableOf(i), DDL(i)])) });
    await twin.startAll();
    for (const i of CASES.keys()) await twin.east.sql.execute(`INSERT INTO ${tableOf(i)} (id, n, word) VALUES (1, 1, 'a')`);
    await twin.settle();
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
  });

  const troubles = (): string => [twin.west.apply?.trouble, ...(twin.west.apply?.partitions ?? []).map(({ trouble }) => trouble)].join('\n');
  const parked = async (): Promise<unknown[]> => await twin.west.sql.query('SELECT id FROM _dead_letters');

  it.for(CASES.map((each, i) => [each.name, each, i] as const))('%s', async ([, { ddl, write, waitsFor, mend = [], west }, index]) => {
    const spell = (text: string): string => text.replaceAll(/\bT\b|\bT(?=_gone)/g, tableOf(index));
    const run = async (steps: readonly string[]): Promise<void> => {
      for (const step of steps) await twin.of(step.slice(0, 4) as Side).sql.execute(spell(step.slice(6)));
    };
    const shapeBefore = await shapeIn(twin, 'west', tableOf(index));
    await run(ddl.filter((step) => step.startsWith('east')));
    expect(await shapeIn(twin, 'west', tableOf(index)), 'DDL is not copied').toEqual(shapeBefore);
    await run(ddl.filter((step) => step.startsWith('west')));
    await run(write.map((statement) => `east: ${statement}`));
    if (waitsFor !== null) {
      await until(`apply to name ${spell(waitsFor)}`, async () => troubles().includes('apply-schema-behind') && troubles().includes(spell(waitsFor)), 20_000, troubles);
      await expectOthersGoOn(twin, index);
    }
    await run(mend);
    await twin.settle();
    expect(troubles()).not.toContain('apply-schema-behind');
    expect(await parked()).toEqual([]);
    const [columns, ...rows] = west;
    const shown = columns.split(', ').map((column) => `IFNULL(${column}, '-')`).join(', ');
    const found = await twin.west.sql.query<{ shown: string }>(`SELECT CONCAT_WS(' ', ${shown}) AS shown FROM ${tableOf(index)} ORDER BY id`);
    expect(found.map((row) => row.shown)).toEqual(rows);
  });

  it('a wait outlives a restart of apply', async () => {
    await twin.east.sql.execute('ALTER TABLE vehicles ADD COLUMN wheels INT NULL');
    await twin.east.sql.execute("INSERT INTO vehicles (id, driver_id, plate, seats, unit, wheels) VALUES (1, 1, 'C', 3, 1, 4)");
    await until('apply to name the column', async () => troubles().includes('vehicles.wheels'));
    await twin.west.stopApply();
    twin.west.startApply();
    await until('apply to name the column again', async () => troubles().includes('vehicles.wheels'));
    await twin.west.sql.execute('ALTER TABLE vehicles ADD COLUMN wheels INT NULL');
    await twin.settle();
    expect((await twin.west.rowsOf('vehicles')).map((row) => row['wheels'])).toEqual([4]);
  });
});

/** What waits holds up its own partition alone. */
async function expectOthersGoOn(twin: Twin, index: number): Promise<void> {
  const unit = (index + 1) % 4;
  await twin.east.sql.execute("REPLACE INTO accounts (id, display_name, unit) VALUES (?, 'passes', ?)", [1_000 + index, unit]);
  await until('the other partitions to go on', async () => (await twin.west.sql.query('SELECT id FROM accounts WHERE id = ?', [1_000 + index])).length === 1);
}

async function shapeIn(twin: Twin, side: Side, table: string): Promise<unknown[]> {
  return await twin.of(side).sql.query(
    'SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION', [table]);
}
