/** What operators make capture do: pause and resume, go on from elsewhere, take snapshots one after the other. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Capture } from '../../../cdc/capture/capture.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { until } from '../../cdc/twin.ts';
import { engines } from '../../harness/mysql.ts';
import { addAccounts, endOfBinlog, idsOf, startSolo } from './solo.ts';
import type { Solo } from './solo.ts';

describe.each(await engines())('operating capture on %s', (engine) => {
  let solo: Solo;
  let capture: Capture;
  beforeAll(async () => {
    solo = await startSolo(engine);
    capture = await solo.streaming('east');
    await addAccounts(solo.sql, 1, 400);
    await solo.sql.execute("INSERT INTO vehicles (id, driver_id, plate, seats, unit) VALUES (1, 1, 'a', 4, 1), (2, 2, 'b', 4, 2)");
    await solo.caughtUp('east');
  });
  afterAll(async () => await solo?.[Symbol.asyncDispose]());

  const states = async (): Promise<string[]> => (await capture.snapshots()).map(({ state }) => state);
  const rowsRead = async (table: string): Promise<number> => (await solo.sent('east')).filter((change) => change.op === 'r' && change.table === table).length;

  it('its status says where it is, on which server, with which settings', async () => {
    await until('the end of the binlog', async () => (capture.status.position ?? '') !== '');
    expect(capture.status).toMatchObject({ state: 'streaming', trouble: null, unsafeSettings: [], server: { engine, serverId: 1 }, settings: { binlog_row_image: 'FULL' } });
    expect(capture.status.stats.changesSent).toBeGreaterThan(400);
  });

  it('paused it sends nothing and beats on; resumed it sends what came meanwhile, once', async () => {
    await capture.pause();
    expect([capture.status.state, capture.isPaused, capture.trouble]).toEqual(['paused', true, 'paused']);
    await addAccounts(solo.sql, 500, 3);
    const [before] = await solo.sql.query<{ beat: string }>('SELECT beat FROM _heartbeats WHERE id = 1');
    await until('heartbeats', async () => BigInt((await solo.sql.query<{ beat: string }>('SELECT beat FROM _heartbeats WHERE id = 1'))[0]?.beat ?? 0) > BigInt(before?.beat ?? 0) + 2n);
    expect(idsOf(await solo.sent('east')).filter((id) => id >= 500)).toEqual([]);
    capture.resume();
    await solo.caughtUp('east');
    expect(idsOf(await solo.sent('east')).filter((id) => id >= 500)).toEqual([500, 501, 502]);
  });

  it('a reset leaves a pause as it is', async () => {
    await capture.pause();
    await capture.reset({ kind: 'now' });
    expect(capture.isPaused).toBe(true);
    capture.resume();
    await solo.caughtUp('east');
  });

  it('reset to now passes over what was not sent; to earliest sends everything once more; to a GTID, what follows it', async () => {
    const count = async (id: number): Promise<number> => idsOf(await solo.sent('east')).filter((each) => each === id).length;
    await capture.pause();
    await addAccounts(solo.sql, 600);
    const position = await endOfBinlog(solo.sql, engine);
    await addAccounts(solo.sql, 601);
    await capture.reset({ kind: 'now' });
    capture.resume();
    await solo.caughtUp('east');
    expect([await count(600), await count(601)]).toEqual([0, 0]);
    await capture.reset({ kind: 'gtid', position });
    await solo.caughtUp('east');
    expect([await count(600), await count(601)]).toEqual([0, 1]);
    await capture.reset({ kind: 'earliest' });
    await solo.caughtUp('east');
    expect([await count(600), await count(601), await count(1)]).toEqual([1, 2, 2]);
  });

  it('a reset to where the server cannot go is refused, and it streams on', async () => {
    const refusal = await capture.reset({ kind: 'gtid', position: engine === 'mysql' ? '0-1-5' : '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7' }).catch((error: unknown) => error);
    expect(isTandemError(refusal, 'capture-reset-refused')).toBe(true);
    await solo.caughtUp('east');
  });

  it('snapshots are taken one after the other, their tables in the order of the schema', async () => {
    const first = await capture.requestSnapshot({ tables: ['vehicles', 'accounts'], rowsPerSecond: 1_000_000, actor: 'test', reason: 'first' });
    const second = await capture.requestSnapshot({ tables: ['vehicles'], actor: 'test', reason: 'second' });
    expect(first).toMatchObject({ state: 'requested', tables: ['accounts', 'vehicles'], requestedBy: 'test', reason: 'first' });
    await until('both', async () => (await states()).every((state) => state === 'done'));
    expect([await rowsRead('accounts'), await rowsRead('vehicles')]).toEqual([405, 4]);
    const done = await capture.snapshots();
    expect(done.map(({ id, rowsDone }) => [id, rowsDone])).toEqual([[second.id, 2], [first.id, 407]]);
  });

  it('a snapshot is cancelled where it is, and what waited behind it begins', async () => {
    const slow = await capture.requestSnapshot({ tables: ['accounts'], rowsPerSecond: 20, actor: 'test', reason: 'slow' });
    const next = await capture.requestSnapshot({ tables: ['vehicles'], actor: 'test', reason: 'waits' });
    const of = async (id: string) => (await capture.snapshots()).find((snapshot) => snapshot.id === id);
    await until('it to be under way', async () => ((await of(slow.id))?.rowsDone ?? 0) > 0);
    expect((await of(next.id))?.state).toBe('requested');
    expect(await capture.cancelSnapshot(slow.id)).toBe(true);
    await until('the next', async () => (await of(next.id))?.state === 'done');
    expect(await of(slow.id)).toMatchObject({ state: 'cancelled' });
    expect((await of(slow.id))?.rowsDone).toBeLessThan(405);
    expect(await capture.cancelSnapshot(slow.id), 'it has ended').toBe(false);
  });

  it('a snapshot of what does not travel is refused, and one that cannot be read fails by name', async () => {
    await expect(capture.requestSnapshot({ tables: ['_conflicts'], rowsPerSecond: 0, actor: 'test', reason: 'x' })).rejects.toMatchObject({
      code: 'capture-reset-refused', message: expect.stringMatching(/not replicated: _conflicts; rows per second must be 1 to/),
    });
    await solo.sql.execute(`INSERT INTO _snapshots (state, tables, rows_per_second, requested_by, reason) VALUES ('requested', '["gone"]', 10, 'test', 'a table that went')`);
    await until('its failure', async () => (await capture.snapshots())[0]?.state === 'failed');
    expect((await capture.snapshots())[0]?.failure).toBe('capture-schema-missing: there is no table gone');
  });

  it('with each heartbeat it says how far the peer was applied here: 0 while a partition is missing', async () => {
    const seen = async (): Promise<string> => String((await solo.sql.query<{ s: string }>('SELECT seen_hlc AS s FROM _heartbeats WHERE id = 1'))[0]?.s);
    await solo.sql.execute("INSERT INTO _checkpoints (source, partition_no, next_offset, watermark_hlc) VALUES ('west', 0, 5, 700)");
    await solo.caughtUp('east');
    expect(await seen()).toBe('0');
    await solo.sql.execute("INSERT INTO _checkpoints (source, partition_no, next_offset, watermark_hlc) VALUES ('west', 1, 5, 600)");
    await until('the lowest watermark', async () => (await seen()) === '600');
  });
});
