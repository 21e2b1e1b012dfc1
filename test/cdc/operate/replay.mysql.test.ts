/** A replay writes as anybody's SQL does: triggers version and judge it, keys hold, its audit row stands or falls with it. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { imageOfRow } from '../../../cdc/apply/sql-values.ts';
import type { Image } from '../../../cdc/change/envelope.ts';
import type { Conflict } from '../../../cdc/operate/conflicts/conflict.ts';
import { conflictOf } from '../../../cdc/operate/conflicts/conflict.ts';
import { carryOut, planReplay } from '../../../cdc/operate/conflicts/replay.ts';
import { packHlc, parseHlc } from '../../../shared/clock/hlc.ts';
import type { Version } from '../../../shared/clock/hlc.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { nameOf, record } from './fixtures.ts';

const audit = { actor: 'ada', reason: 'T-1' };
const RIDE = `INSERT INTO rides (id, quote_id, rider_id, payer_unit, status, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, seats, pooled, fare_cents, currency,
  breakdown, otp, latest_pickup_at, latest_arrival_at, unit) VALUES (?, ?, 1, 1, 'assigned', 40.7, -74, 40.8, -74, 1, 1, 900, 'USD', '[]', '1234', NOW(3), NOW(3), 4)`;

describe.each(await engines())('replay on %s', (engine) => {
  let mysql: TestMysql;
  let sql: RawConnection;

  beforeAll(async () => {
    mysql = await startMysql({ engine, grants: true });
    sql = await openRawConnection(mysql.users['tandem_operator']!, { role: 'operator' });
  });
  afterAll(async () => {
    await sql?.close();
    await mysql?.stop();
  });
  beforeEach(async () => {
    await sql.execute('DELETE FROM rides WHERE id > 0');
    await sql.execute(RIDE, [1, 11]);
  });

  async function standing(id: number): Promise<{ image: Image; version: Version }> {
    const [row] = await sql.query('SELECT *, _hlc, _origin FROM rides WHERE id = ?', [id]);
    const image = imageOfRow(row!, new Set());
    return { image, version: { hlc: parseHlc(String(image['_hlc'])), origin: Number(image['_origin']) } };
  }

  /** The row as it stands has won over the same with these columns, written a second before by the west. */
  async function lost(columns: Image): Promise<Conflict> {
    const { image, version } = await standing(1);
    const remote = { hlc: packHlc(Number(version.hlc >> 16n) - 1_000, 0), origin: 2 };
    return conflictOf([record({ table: 'rides', rowId: '1', unit: 4, outcome: 'kept-local', local: version, localImage: image, remote, remoteImage: { ...image, ...columns } })], nameOf);
  }

  const replay = async (conflict: Conflict, overNewer = false): Promise<Version | null> =>
    carryOut(sql, conflict, { plan: await planReplay(sql, conflict, { overNewer }), overNewer, audit });
  const audited = async (): Promise<number> => Number((await sql.query<{ n: string }>('SELECT COUNT(*) AS n FROM _audit'))[0]?.n);

  it('takes the lost columns with a version of its own, and writes who and why', async () => {
    const before = await audited();
    const conflict = await lost({ seats: 3 });
    const version = await replay(conflict);
    const now = await standing(1);
    expect(now.image).toMatchObject({ seats: 3, status: 'assigned' });
    expect(now.version).toEqual(version);
    expect(now.version.hlc > conflict.sides[0].version.hlc).toBe(true);
    const [row] = (await sql.query('SELECT actor, action, subject, reason, details FROM _audit ORDER BY id')).slice(-1);
    expect(row).toMatchObject({ actor: 'ada', action: 'conflict.replay', subject: 'rides:1', reason: 'T-1' });
    expect(JSON.parse(String(row!['details']))).toMatchObject({ conflict: conflict.id, plan: 'update', columns: ['seats'] });
    expect(await audited()).toBe(before + 1);
  });

  it('is refused where a state would go back, in the words of the trigger, and leaves nothing', async () => {
    const before = await audited();
    await expect(replay(await lost({ status: 'requested' }))).rejects.toMatchObject({ code: 'operation-refused', message: expect.stringMatching(/rides\.?.*status/i) as string });
    expect((await standing(1)).image['status']).toBe('assigned');
    expect(await audited()).toBe(before);
  });

  it('is refused where another row has the unique value by now', async () => {
    await sql.execute(RIDE, [2, 12]);
    await expect(replay(await lost({ quote_id: '12' }))).rejects.toMatchObject({ code: 'operation-refused', message: expect.stringContaining('one_ride_a_quote') as string });
  });

  it('is refused where the row changed between plan and write', async () => {
    const conflict = await lost({ seats: 3 });
    const plan = await planReplay(sql, conflict, { overNewer: true });
    await sql.execute('UPDATE rides SET seats = 2 WHERE id = 1');
    await expect(carryOut(sql, conflict, { plan, overNewer: true, audit })).rejects.toMatchObject({ code: 'operation-refused', message: expect.stringContaining('has changed since the plan') as string });
    expect((await standing(1)).image['seats']).toBe(2);
  });

  it('inserts a row again that was deleted, above its tombstone, values and all', async () => {
    const { image, version } = await standing(1);
    await sql.execute('DELETE FROM rides WHERE id = 1');
    const [tombstone] = await sql.query<{ hlc: string }>("SELECT _hlc AS hlc FROM _tombstones WHERE table_name = 'rides' AND row_id = 1");
    const deleted = { hlc: parseHlc(tombstone!.hlc), origin: 1 };
    const conflict = conflictOf([record({
      table: 'rides', rowId: '1', kind: 'update-delete', outcome: 'kept-local', local: deleted, localImage: null, remote: { ...version, origin: 2 }, remoteImage: image,
    })], nameOf);
    const written = await replay(conflict);
    const now = await standing(1);
    expect(written!.hlc > deleted.hlc).toBe(true);
    const stamped = new Set(['_hlc', '_origin', '_merge', 'updated_at']);
    expect(now.image).toMatchObject(Object.fromEntries(Object.entries(image).filter(([column]) => !stamped.has(column))));
  });

  it('refuses a table that does not travel', async () => {
    const conflict = { ...(await lost({})), table: '_audit' };
    await expect(planReplay(sql, conflict, { overNewer: false })).rejects.toMatchObject({ code: 'operation-refused' });
  });
});
