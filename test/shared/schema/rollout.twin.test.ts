/** A schema that changes under two regions at work: expand, the wait between, contract with its proof, and what is refused. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrateSides, openTestRollout, silent } from './rollout-sides.ts';
import type { Twin } from '../../cdc/twin.ts';
import { SIDES, startTwin, until } from '../../cdc/twin.ts';
import { engines } from '../../harness/mysql.ts';

const ZOO = `CREATE TABLE zoo (
  id BIGINT NOT NULL PRIMARY KEY, unit TINYINT UNSIGNED NOT NULL, name VARCHAR(64) NULL, old_name VARCHAR(64) NOT NULL,
  _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`;
const EXPAND = { number: 90, name: '0090-colour', phase: 'expand' as const, statements: ['ALTER TABLE zoo ADD COLUMN colour VARCHAR(16) NULL'] };
const CONTRACT = { number: 91, name: '0091-no-old-name', phase: 'contract' as const, statements: ['ALTER TABLE zoo DROP COLUMN old_name'] };
/** Two processes that carry the contract step, and one of before. */
const NEW = ['east', 'west'].map((region) => ({ region, owner: `dispatch-${region}-1`, schema: 91 }));
const OLD = { region: 'west', owner: 'payment-west', schema: 90 };

describe.each(await engines())('a schema that changes in both regions, on %s', (engine) => {
  let twin: Twin;

  beforeAll(async () => {
    twin = await startTwin(engine, { extraTables: { zoo: ZOO } });
    await twin.startAll();
    await twin.east.sql.execute("INSERT INTO zoo (id, unit, name, old_name) VALUES (1, 1, 'yak', 'yak')");
    await twin.settle();
  });
  afterAll(() => twin?.[Symbol.asyncDispose]());

  const rollout = (only?: 'east' | 'west') => openTestRollout(twin, [EXPAND, CONTRACT], only);
  const proof = { partitions: 4, writers: async () => NEW, nowMs: () => performance.now(), deadlineMs: 30_000 };

  test('the plan names each statement, its region, its phase and how many rows it walks through', async () => {
    await using open = await rollout();
    expect((await open.plan()).map(({ region, migration, phase, rows }) => [region, migration, phase, typeof rows])).toEqual([
      ['east', '0090-colour', 'expand', 'number'], ['west', '0090-colour', 'expand', 'number'],
      ['east', '0091-no-old-name', 'contract', 'number'], ['west', '0091-no-old-name', 'contract', 'number'],
    ]);
  });

  test('only one rollout is at work, whichever region it began in', async () => {
    await using open = await rollout();
    expect(await open.plan()).toHaveLength(4);
    await expect(openTestRollout(twin, [EXPAND], 'west', 0)).rejects.toMatchObject({ code: 'schema-busy' });
  });

  test('a column that only one region has makes the other wait, with an alarm that names it, and go on by itself once it is there', async () => {
    const { east, west } = twin;
    await migrateSides(twin, [EXPAND, CONTRACT], 'east');
    await east.sql.execute("INSERT INTO zoo (id, unit, name, old_name, colour) VALUES (2, 2, 'gnu', 'gnu', 'brown')");
    await until('west to name what it lacks', async () => west.apply?.trouble?.includes('zoo.colour') === true);
    expect(await west.sql.query('SELECT id FROM zoo WHERE id = 2')).toEqual([]);
    await migrateSides(twin, [EXPAND, CONTRACT], 'west');
    await twin.settle();
    expect(west.apply?.trouble).toBeNull();
    expect(await west.rowsOf('zoo')).toEqual(await east.rowsOf('zoo'));
    expect((await west.sql.query('SELECT colour FROM zoo WHERE id = 2'))[0]).toEqual({ colour: 'brown' });
  });

  test('contract is refused while a process of before runs, and names it', async () => {
    await using open = await rollout();
    await expect(open.contract({ ...proof, writers: async () => [...NEW, OLD] }, silent)).rejects.toMatchObject({
      code: 'operation-refused', message: expect.stringMatching(/payment-west in west.*0?90.*may still write/),
    });
    expect((await open.plan()).map(({ migration }) => migration)).toEqual(['0091-no-old-name', '0091-no-old-name']);
  });

  test('contract is refused while a region has not applied what the other wrote before it asked', async () => {
    await twin.west.stopApply();
    await using open = await rollout();
    await expect(open.contract({ ...proof, deadlineMs: 0 }, silent)).rejects.toMatchObject({ code: 'operation-refused', message: expect.stringContaining('west has applied east up to version') });
    twin.west.startApply();
  });

  test('contract in one region leaves the other able to send and to receive, and both end the same', async () => {
    const { east, west } = twin;
    // Both applies know the table as it is.
    await west.sql.execute("INSERT INTO zoo (id, unit, name, old_name) VALUES (6, 6, 'kea', 'kea')");
    await east.sql.execute("INSERT INTO zoo (id, unit, name, old_name) VALUES (7, 7, 'moa', 'moa')");
    await twin.settle();
    {
      await using open = await rollout('east');
      expect((await open.contract(proof, silent)).left.map(({ region }) => region)).toEqual(['west']);
    }
    // West still carries the column in every row it sends; east has no use for it.
    await west.sql.execute("INSERT INTO zoo (id, unit, name, old_name) VALUES (3, 3, 'emu', 'emu')");
    await west.sql.execute("UPDATE zoo SET name = 'ox' WHERE id = 1");
    await until('east to have what west wrote', async () => (await east.sql.query("SELECT id FROM zoo WHERE id = 3 OR name = 'ox'")).length === 2);
    {
      await using open = await rollout();
      expect((await open.contract(proof, silent)).left).toEqual([]);
    }
    await east.sql.execute("INSERT INTO zoo (id, unit, name) VALUES (4, 4, 'asp')");
    await twin.settle();
    expect(await west.rowsOf('zoo')).toEqual(await east.rowsOf('zoo'));
    for (const side of SIDES) expect(Object.keys((await twin.of(side).rowsOf('zoo'))[0]!)).toEqual(['id', 'unit', 'name', '_hlc', '_origin', 'colour']);
    expect(await east.conflicts()).toEqual([]);
  });
});
