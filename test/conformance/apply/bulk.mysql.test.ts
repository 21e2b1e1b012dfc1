/** Bulk statements write what writing row by row would have: order, keys that move, values that change hands, rows that differ. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeChange } from '../../../cdc/change/codec.ts';
import { updateRows } from '../../../cdc/apply/statements.ts';
import { TableCatalog, layoutOf } from '../../../cdc/apply/table-catalog.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import { engines } from '../../harness/mysql.ts';
import { Rig, account, hlcAt } from './rig.ts';

const VALUES = `CREATE TABLE assorted (
  id BIGINT NOT NULL PRIMARY KEY, f FLOAT NULL, d DOUBLE NULL, dec65 DECIMAL(65,30) NULL, u BIGINT UNSIGNED NULL, bits BIT(64) NULL,
  bin VARBINARY(20) NULL, en ENUM('1','b','') NULL, se SET('x','y') NULL, js JSON NULL, ti TIME(6) NULL, dt DATETIME(6) NULL, da DATE NULL, ye YEAR NULL,
  te MEDIUMTEXT NULL, la VARCHAR(20) CHARACTER SET latin1 NULL, twice INT GENERATED ALWAYS AS (id * 2) STORED,
  code INT NULL, UNIQUE KEY one_code (code), unit TINYINT UNSIGNED NOT NULL, _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE)`;
const COLUMNS = 'id, CAST(f AS DOUBLE) AS f, d, dec65, u, HEX(bits) AS bits, HEX(bin) AS bin, en, se, js, ti, dt, da, ye, te, la, twice, code, unit, _hlc, _origin';
const NONE = { f: null, d: null, dec65: null, u: null, bits: null, bin: null, en: null, se: null, js: null, ti: null, dt: null, da: null, ye: null, te: null, la: null, code: null };

const dated = (plate: string) => ({ driver_id: '1', plate, seats: 4, updated_at: '2020-01-01 00:00:00.000' });
const coded = (code: number | null) => ({ ...NONE, code });

describe.each(await engines())('bulk writing on %s', (engine) => {
  let rig: Rig;
  let next = 0;
  beforeAll(async () => {
    rig = await Rig.start(engine, { assorted: VALUES });
    rig.apply();
  });
  afterAll(async () => {
    await rig?.close();
  });
  const codes = async (): Promise<Record<string, unknown>> =>
    Object.fromEntries((await rig.sql.query('SELECT id, code FROM assorted ORDER BY id')).map((row) => [String(row['id']), row['code']]));

  it('every type of value is the same whether it came with an insert or with a joined update', async () => {
    const rows = [
      { ...NONE, f: 0.1, d: 1.7976931348623157e308, dec65: `${'9'.repeat(35)}.${'1'.repeat(30)}`, u: '18446744073709551615', bits: { $b64: Buffer.from('ffffffffffffffff', 'hex').toString('base64') }, bin: { $b64: 'AP8nXA==' }, en: '1', se: 'x,y', js: '{"a": [1, "ü😀\'\\\\"]}', ti: '-838:59:58.999999', dt: '9999-12-31 23:59:59.999999', da: '0000-00-00', ye: 2155, te: "o'\\\0\n\r\u001a;--😀", la: 'é' },
      { ...NONE, f: 3.4028235e38, d: 5e-324, dec65: '-0.000000000000000000000000000001', u: '0', bits: { $b64: Buffer.from('0000000000000001', 'hex').toString('base64') }, bin: { $b64: '' }, en: 'b', se: '', js: 'null', ti: '00:00:00.000001', dt: '0000-00-00 00:00:00.000000', da: '1000-01-01', ye: 0, te: '', la: '' },
      { ...NONE, d: 123456789.12345678, u: '9007199254740993', te: 'x'.repeat(100_000) },
      { ...NONE },
    ];
    for (const [i, row] of rows.entries()) await rig.send({ op: 'c', table: 'assorted', id: 1 + i, unit: 1, row, at: ++next });
    await rig.caughtUp();
    const first = next;
    await rig.send(...rows.map((_, i) => ({ op: 'c', table: 'assorted', id: 101 + i, unit: 1, row: NONE, at: ++next }) as const));
    await rig.caughtUp();
    await rig.send(...rows.map((row, i) => ({ op: 'u', table: 'assorted', id: 101 + i, unit: 1, row: { ...row, unit: 1 }, at: first + 100 + i, was: first + 1 + i, before: NONE }) as const));
    next += 200;
    await rig.caughtUp();
    const all = await rig.rows('assorted', COLUMNS);
    const plain = (from: number) => all.filter((row) => Number(row['id']) >= from && Number(row['id']) < from + 100).map(({ id: _id, _hlc, twice: _twice, ...row }) => row);
    expect(plain(101)).toEqual(plain(1));
    expect(plain(1)[0]).toMatchObject({ f: Math.fround(0.1), d: 1.7976931348623157e308, u: '18446744073709551615', bits: 'FFFFFFFFFFFFFFFF', bin: '00FF275C', te: "o'\\\0\n\r\u001a;--😀", la: 'é' });
    expect(all.find((row) => row['id'] === '1')?.['twice']).toBe(2);
  });

  it('a joined update meets its rows by primary key, without locking others, and never through another unique key', async () => {
    const connection = await openRawConnection(rig.login(), { role: 'test', session: { '@tandem_apply': 1 }, scripts: true });
    const catalog = new TableCatalog('tandem');
    const change = rig.change({ op: 'u', table: 'assorted', id: 1, unit: 1, row: { ...NONE, code: 1 }, at: next });
    const table = await catalog.tableOf(connection, change);
    if (table === null || change.after === null) throw new Error('no such table');
    const layout = layoutOf(table, change.after, undefined);
    const [statement] = updateRows([1, 2].map((id) => ({ table, id: String(id), image: { ...change.after, id: String(id) }, layout, changed: null, expected: { hlc: hlcAt(id), origin: 1 } })));
    const plan = await connection.query(`EXPLAIN FORMAT=TRADITIONAL ${statement?.sql}`);
    expect(plan.find((row) => row['table'] === 't')).toMatchObject({ type: 'eq_ref', key: 'PRIMARY' });
    // Both want code 1: the second one is refused instead of taking the first one's row.
    await connection.execute('START TRANSACTION');
    await expect(connection.script([statement?.sql ?? ''])).rejects.toMatchObject({ code: 'db-duplicate' });
    await connection.execute('ROLLBACK');
    const [missed] = updateRows([{ table, id: '1', image: change.after, layout, changed: null, expected: { hlc: hlcAt(9999), origin: 1 } }]);
    expect((await connection.script([missed?.sql ?? ''])).map(({ affectedRows }) => affectedRows)).toEqual([0]);
    await connection.close();
  });

  it('one row changed many times in a transaction, inserted, deleted and inserted again, ends as it ended', async () => {
    const at = (moment: number) => next + moment;
    await rig.send(
      { op: 'c', table: 'accounts', id: 1, unit: 2, row: account('1'), at: at(1) },
      { op: 'u', table: 'accounts', id: 1, unit: 2, row: account('2'), at: at(2), was: at(1), before: account('1') },
      { op: 'd', table: 'accounts', id: 1, unit: 2, at: at(3), was: at(2), before: account('2') },
      { op: 'c', table: 'accounts', id: 1, unit: 2, row: account('3'), at: at(4) },
      { op: 'u', table: 'accounts', id: 1, unit: 2, row: account('4'), at: at(5), was: at(4), before: account('3') },
      { op: 'c', table: 'accounts', id: 2, unit: 2, row: account('gone'), at: at(5) },
      { op: 'd', table: 'accounts', id: 2, unit: 2, at: at(6), was: at(5), before: account('gone') },
    );
    next += 10;
    await rig.caughtUp();
    expect(await rig.rows('accounts', 'id, display_name, _hlc')).toEqual([{ id: '1', display_name: '4', _hlc: String(hlcAt(next - 5)) }]);
    expect(await rig.sql.query("SELECT row_id FROM _tombstones WHERE table_name = 'accounts' ORDER BY row_id")).toEqual([{ row_id: '1' }, { row_id: '2' }]);
  });

  it('a primary key that moves, and unique values that change hands within a transaction', async () => {
    await rig.send(...[10, 11, 12].map((id) => ({ op: 'c', table: 'assorted', id: 500 + id, unit: 3, row: coded(id), at: ++next }) as const));
    await rig.caughtUp();
    const was = next - 2;
    await rig.send(
      { op: 'u', table: 'assorted', id: 510, unit: 3, row: coded(99), at: ++next, was, before: coded(10) },
      { op: 'u', table: 'assorted', id: 511, unit: 3, row: coded(10), at: ++next, was: was + 1, before: coded(11) },
      { op: 'u', table: 'assorted', id: 510, unit: 3, row: coded(11), at: ++next, was: next - 2, before: coded(99) },
      // 512 becomes 513, as capture sends a changed key.
      { op: 'd', table: 'assorted', id: 512, unit: 3, at: ++next, was: was + 2, before: coded(12) },
      { op: 'c', table: 'assorted', id: 513, unit: 3, row: coded(12), at: ++next },
    );
    await rig.caughtUp();
    expect(await codes()).toMatchObject({ 510: 11, 511: 10, 513: 12 });
    expect((await codes())['512']).toBeUndefined();
    expect(await rig.sql.query('SELECT id FROM _conflicts')).toEqual([]);
  });

  it('rows that stand otherwise than their writers saw them are decided one by one, in a batch with rows that do not', async () => {
    await rig.send(...[1, 2, 3, 4].map((id) => ({ op: 'c', table: 'vehicles', id, unit: 4, row: { driver_id: '1', plate: 'A', seats: 4 }, at: ++next }) as const));
    await rig.caughtUp();
    await rig.sql.execute("UPDATE vehicles SET plate = 'LOCAL' WHERE id = 2");
    await rig.sql.execute('DELETE FROM vehicles WHERE id = 3');
    const was = next - 4;
    await rig.send(...[1, 2, 3, 4].map((id) => ({ op: 'u', table: 'vehicles', id, unit: 4, row: { driver_id: '1', plate: 'B', seats: 4 }, at: ++next, was: was + id, before: { driver_id: '1', plate: 'A', seats: 4 } }) as const));
    await rig.caughtUp();
    expect((await rig.rows('vehicles', 'id, plate')).map((each) => `${each['id']}${each['plate']}`)).toEqual(['1B', '2LOCAL', '4B']);
    const conflicts = await rig.sql.query("SELECT row_id, kind, outcome, local_image IS NULL AS gone FROM _conflicts WHERE table_name = 'vehicles' ORDER BY row_id");
    expect(conflicts.map((each) => `${each['row_id']} ${each['kind']} ${each['outcome']} ${each['gone']}`)).toEqual(['2 update-update kept-local 0', '3 update-delete kept-local 1']);
  });

  it('a column that the server would set by itself keeps what its writer left in it', async () => {
    await rig.send({ op: 'c', table: 'vehicles', id: 60, unit: 4, row: dated('A'), at: ++next });
    await rig.caughtUp();
    await rig.send({ op: 'u', table: 'vehicles', id: 60, unit: 4, row: dated('B'), at: ++next, was: next - 1, before: dated('A') });
    await rig.caughtUp();
    expect((await rig.rows('vehicles', 'id, plate, updated_at')).find((each) => each['id'] === '60')).toMatchObject({ plate: 'B', updated_at: '2020-01-01 00:00:00.000' });
  });

  it('what has been here before and was written on since leaves no conflict when it comes again', async () => {
    const row = { driver_id: '1', plate: 'FIRST', seats: 4 };
    await rig.send({ op: 'c', table: 'vehicles', id: 50, unit: 4, row, at: ++next, gtid: 5000 });
    const again = rig.change({ op: 'c', table: 'vehicles', id: 50, unit: 4, row, at: next, gtid: 5000 });
    await rig.caughtUp();
    await rig.sql.execute("UPDATE vehicles SET plate = 'SINCE' WHERE id = 50");

    await rig.sendRaw([{ partition: 0, value: encodeChange(again) }]);
    await rig.caughtUp();
    expect((await rig.rows('vehicles', 'id, plate')).find((each) => each['id'] === '50')).toMatchObject({ plate: 'SINCE' });
    expect(await rig.sql.query('SELECT id FROM _conflicts WHERE row_id = 50')).toEqual([]);
  });
});
