/** Where capture begins, and what it refuses to begin with: never a gap in silence. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePositionRecord } from '../../../cdc/capture/position-record.ts';
import { checkServerSettings } from '../../../cdc/capture/server-settings.ts';
import { ensureChangeTopic } from '../../../cdc/transport/topic.ts';
import { until } from '../../cdc/twin.ts';
import { engines } from '../../harness/mysql.ts';
import { PARTITIONS, addAccounts, endOfBinlog, idsOf, purgeBinlogs, startSolo } from './solo.ts';
import type { Solo } from './solo.ts';

describe.each(await engines())('capture begins on %s', (engine) => {
  let solo: Solo;
  beforeAll(async () => {
    solo = await startSolo(engine);
    await addAccounts(solo.sql, 1, 3);
  });
  afterAll(async () => await solo?.[Symbol.asyncDispose]());

  it('resume on an empty topic: every row since the first, as the binlog reaches back to it', async () => {
    const capture = await solo.streaming('resume');
    await solo.caughtUp('resume');
    expect(idsOf(await solo.sent('resume'))).toEqual([1, 2, 3]);
    await capture.stop();
    const again = await solo.streaming('resume', { start: { kind: 'now' } });
    await addAccounts(solo.sql, 10);
    await solo.caughtUp('resume');
    expect(idsOf(await solo.sent('resume')), 'a topic that says where it ends outranks the start mode').toEqual([1, 2, 3, 10]);
    await again.stop();
  });

  it('now: nothing from before, and nothing missed after, even by a capture that died before it had sent a row', async () => {
    await (await solo.streaming('now', { start: { kind: 'now' } })).stop();
    await addAccounts(solo.sql, 20);
    const capture = await solo.streaming('now', { start: { kind: 'now' } });
    await solo.caughtUp('now');
    expect(idsOf(await solo.sent('now'))).toEqual([20]);
    await capture.stop();
  });

  it('gtid: right after that transaction', async () => {
    const position = await endOfBinlog(solo.sql, engine);
    await addAccounts(solo.sql, 30, 2);
    const capture = await solo.streaming('gtid', { start: { kind: 'gtid', position } });
    await solo.caughtUp('gtid');
    expect(idsOf(await solo.sent('gtid'))).toEqual([30, 31]);
    await capture.stop();
  });

  it('gtid: one that the server never had is refused by name', async () => {
    const beyond = engine === 'mysql' ? `${(await endOfBinlog(solo.sql, engine)).split(':')[0]}:1-999999` : '1-1-999999';
    const capture = await solo.start('beyond', { start: { kind: 'gtid', position: beyond } });
    await until('the refusal', async () => capture.trouble?.startsWith('capture-reset-refused') === true, 20_000, () => `${capture.trouble}`);
    expect(capture.trouble).toContain('999999');
    await capture.stop();
  });

  it('snapshot: every row that stands, then what is written', async () => {
    const capture = await solo.streaming('snapshot', { start: { kind: 'snapshot' } });
    await until('the snapshot', async () => (await capture.snapshots())[0]?.state === 'done');
    await addAccounts(solo.sql, 40);
    await solo.caughtUp('snapshot');
    const accounts = (await solo.sent('snapshot')).filter(({ table }) => table === 'accounts');
    expect(accounts.map(({ op, id }) => `${op}${id}`).toSorted()).toEqual(['c40', 'r1', 'r10', 'r2', 'r20', 'r3', 'r30', 'r31']);
    const [row] = await solo.sql.query<{ hlc: string }>('SELECT _hlc AS hlc FROM accounts WHERE id = 2');
    expect(String(accounts.find(({ id }) => id === '2')?.version.hlc), 'with the version it has').toBe(row?.hlc);
    await capture.stop();
  });

  it('a position of the other flavour of server is refused', async () => {
    const position = engine === 'mysql' ? '1-1-7' : '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7';
    const deps = solo.deps('flavour');
    await ensureChangeTopic(solo.kafka, { region: 'flavour', partitions: PARTITIONS });
    const facts = await checkServerSettings(deps.database, null);
    await writePositionRecord({ kafka: solo.kafka, pulse: { region: 'flavour', origin: 1, partitions: PARTITIONS }, mysql: deps.mysql, database: deps.database, facts, position });
    const capture = await solo.start('flavour');
    await until('the refusal', async () => capture.status.troubleCode === 'capture-wrong-server', 20_000, () => `${capture.trouble}`);
    expect(capture.trouble).toMatch(engine === 'mysql' ? /one of MariaDB, but the server is MySQL/ : /one of MySQL, but the server is MariaDB/);
    await capture.stop();
  });

  it('a purged position is refused with the GTIDs that are missing; a reset to a snapshot mends it', async () => {
    const first = await solo.streaming('purged', { start: { kind: 'now' } });
    await solo.caughtUp('purged');
    await first.stop();
    await addAccounts(solo.sql, 50, 2);
    const lost = (await endOfBinlog(solo.sql, engine)).split(/[-:]/).at(-1) ?? '';
    await purgeBinlogs(solo.sql);
    const capture = await solo.start('purged');
    await until('the refusal', async () => capture.status.troubleCode === 'capture-position-gone', 20_000, () => `${capture.trouble}`);
    expect(capture.trouble).toContain(lost);
    expect(capture.trouble).toContain('tandem cdc reset purged --part capture --to snapshot, then tandem diff');
    await capture.reset({ kind: 'snapshot' });
    await until('the snapshot', async () => (await capture.snapshots())[0]?.state === 'done', 30_000, () => `${capture.trouble}`);
    expect(idsOf(await solo.sent('purged'))).toEqual([1, 2, 3, 10, 20, 30, 31, 40, 50, 51]);
    await capture.stop();
  });

  it('an empty topic is not filled from a binlog that begins after the data: by a purge', async () => {
    const capture = await solo.start('begun');
    await until('the refusal', async () => capture.status.troubleCode === 'capture-needs-snapshot', 20_000, () => `${capture.trouble}`);
    expect(capture.trouble).toMatch(/(?:accounts|fare_cards) holds rows that were written before \(id \d+ is one\).* was purged|was purged, but (?:accounts|fare_cards) holds rows/);
    await capture.reset({ kind: 'now' });
    await until('it to stream', async () => capture.trouble === null, 20_000, () => `${capture.trouble}`);
    await capture.stop();
  });

  it('an empty topic is not filled from a binlog that begins after the data: by RESET, which leaves no trace in the GTIDs', async () => {
    await solo.sql.execute(engine === 'mysql' ? 'RESET BINARY LOGS AND GTIDS' : 'RESET MASTER');
    const capture = await solo.start('reset');
    await until('the refusal', async () => capture.status.troubleCode === 'capture-needs-snapshot', 20_000, () => `${capture.trouble}`);
    await capture.stop();
    const former = await solo.start('resume');
    await until('the refusal of what was captured before', async () => former.status.troubleCode === 'capture-server-behind', 20_000, () => `${former.trouble}`);
    await former.stop();
  });
});
