/** A change that the schema here does not take yet waits, names what it waits for, and goes on by itself; nothing else waits. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { observeApply } from '../../../cdc/apply/apply-metrics.ts';
import type { Apply } from '../../../cdc/apply/apply.ts';
import { createMetrics } from '../../../shared/telemetry/metrics.ts';
import { until } from '../../cdc/twin.ts';
import { engines } from '../../harness/mysql.ts';
import { Rig } from './rig.ts';
import type { Draft } from './rig.ts';

const vehicle = { driver_id: '1', plate: 'A', seats: 4 };
/** What waits for a schema is never parked, however few tries there are. */
const POISON = { tries: 1, policy: 'pause-unit' } as const;

describe.each(await engines())('a schema that is behind, on %s', (engine) => {
  let rig: Rig;
  let apply: Apply;
  let next = 0;
  const metrics = createMetrics({ service: 'apply', region: 'west', instance: 'test' });
  beforeAll(async () => {
    rig = await Rig.start(engine);
    apply = rig.apply({ poison: POISON, observer: observeApply(metrics, () => apply) });
  });
  afterAll(async () => {
    await rig?.close();
    await metrics.stop();
  });

  const insert = (id: number, unit: number, extra: Draft['row'] = {}, schema?: string): Draft =>
    ({ op: 'c', table: 'vehicles', id, unit, row: { ...vehicle, ...extra }, at: ++next, ...(schema === undefined ? {} : { schema }) });
  const plates = async (): Promise<string[]> => (await rig.rows('vehicles', 'id')).map((row) => String(row['id']));
  const waitsFor = async (partition: number, table: string, column: string | null): Promise<void> => {
    await until(`partition ${partition} to wait for ${table}.${column}`, async () => {
      const waiting = apply.partitions.find((each) => each.partition === partition)?.waitsFor;
      return waiting?.table === table && waiting.column === column;
    }, 20_000, () => JSON.stringify(apply.partitions.map(({ partition: p, trouble, waitsFor: w }) => [p, trouble, w])));
  };
  const nothingParked = async (): Promise<void> => expect(await apply.deadLetters.list({ state: 'all' })).toEqual([]);

  it('a column that the target lacks: named as trouble and as a metric, and the other partitions go on', async () => {
    await rig.send(insert(1, 1, { colour: 'red' }));
    await waitsFor(1, 'vehicles', 'colour');
    expect(apply.trouble).toMatch(/^apply-schema-behind: .*vehicles\.colour/);
    expect(await metrics.expose()).toMatch(/tandem_apply_schema_waiting\{[^}]*table="vehicles",column="colour"[^}]*\} 1/);
    await rig.send(insert(2, 2));
    await until('the other partition to go on', async () => (await plates()).includes('2'));
    expect(await plates()).toEqual(['2']);
    await rig.sql.execute('ALTER TABLE vehicles ADD COLUMN colour VARCHAR(16) NULL');
    await rig.caughtUp();
    expect(await plates()).toEqual(['1', '2']);
    await until('the alarm to end', async () => apply.trouble === null && /tandem_apply_schema_waiting\{[^}]*column="colour"[^}]*\} 0/.test(await metrics.expose()));
    await nothingParked();
  });

  it('a table that the target lacks', async () => {
    await rig.send({ op: 'c', table: 'gadgets', id: 1, unit: 1, row: { name: 'x' }, at: ++next });
    await waitsFor(1, 'gadgets', null);
    await rig.sql.execute(`CREATE TABLE gadgets (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(10) NOT NULL, unit TINYINT UNSIGNED NOT NULL,
      _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE)`);
    await rig.caughtUp();
    expect(await rig.rows('gadgets', 'id, name')).toEqual([{ id: '1', name: 'x' }]);
    await nothingParked();
  });

  it('a column that must have a value here and that the peer does not send yet', async () => {
    await rig.sql.execute('ALTER TABLE vehicles ADD COLUMN wheels INT NOT NULL');
    await rig.sql.execute('ALTER TABLE vehicles ALTER COLUMN wheels DROP DEFAULT');
    await rig.send(insert(10, 1));
    await waitsFor(1, 'vehicles', 'wheels');
    await rig.sql.execute('ALTER TABLE vehicles ALTER COLUMN wheels SET DEFAULT 4');
    await rig.caughtUp();
    expect(await rig.rows('vehicles', 'id, wheels')).toContainEqual({ id: '10', wheels: 4 });
    await nothingParked();
  });

  it('a column that was dropped here and is still sent waits; once its retirement is on record it is left out', async () => {
    await rig.sql.execute('ALTER TABLE vehicles DROP COLUMN colour');
    await rig.send(insert(20, 1, { colour: 'blue' }));
    await waitsFor(1, 'vehicles', 'colour');
    await rig.sql.execute("INSERT INTO _retired (table_name, column_name, migration) VALUES ('vehicles', 'colour', 'test')");
    await rig.caughtUp();
    expect(await plates()).toContain('20');
    await nothingParked();
  });

  it('a column that was renamed waits under its new name', async () => {
    await rig.send({ op: 'c', table: 'vehicles', id: 30, unit: 1, row: { driver_id: '1', number_plate: 'R', seats: 4 }, at: ++next });
    await waitsFor(1, 'vehicles', 'number_plate');
    await rig.sql.execute('ALTER TABLE vehicles CHANGE COLUMN plate number_plate VARCHAR(16) NOT NULL');
    await rig.caughtUp();
    expect(await rig.rows('vehicles', 'id, number_plate')).toContainEqual({ id: '30', number_plate: 'R' });
    await rig.sql.execute('ALTER TABLE vehicles CHANGE COLUMN number_plate plate VARCHAR(16) NOT NULL');
    await nothingParked();
  });

  it('a value that does not fit a re-typed column waits where the schemas are known to differ, and is never parked for it', async () => {
    await rig.send(insert(40, 1, { plate: 'P'.repeat(20) }, '0badcafe'));
    await waitsFor(1, 'vehicles', 'plate');
    await rig.sql.execute('ALTER TABLE vehicles MODIFY plate VARCHAR(32) NOT NULL');
    await rig.caughtUp();
    expect(await rig.rows('vehicles', 'id, plate')).toContainEqual({ id: '40', plate: 'P'.repeat(20) });
    await nothingParked();
  });
});
