/** Another server takes over in the same region: a replica that was promoted, behind the same address or at another one. */
import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Capture } from '../../../cdc/capture/capture.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { grantStatements } from '../../../shared/schema/grants.ts';
import { until } from '../../cdc/twin.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { addAccounts, captureLogin, endOfBinlog, idsOf, startSolo } from './solo.ts';
import type { Solo } from './solo.ts';
import { startForwarder } from './tcp-forwarder.ts';
import type { Forwarder } from './tcp-forwarder.ts';

describe.each(await engines())('capture after a failover within its region on %s', (engine) => {
  let solo: Solo;
  let address: Forwarder;
  let capture: Capture;
  let promoted: Replica;
  let late: Replica;

  beforeAll(async () => {
    solo = await startSolo(engine);
    [promoted, late] = await Promise.all([startReplica(solo), startReplica(solo)]);
    address = await startForwarder(solo.mysql.port);
    capture = await solo.streaming('east', { mysql: captureLogin(solo.mysql, { port: address.port }) });
    await addAccounts(solo.sql, 1, 20);
    await solo.caughtUp('east');
  });
  afterAll(async () => {
    await capture?.stop();
    await address?.[Symbol.asyncDispose]();
    await Promise.all([promoted?.end(), late?.end()]);
    await solo?.[Symbol.asyncDispose]();
  });

  it('a promoted replica behind the same address: nothing is lost, nothing is sent twice', async () => {
    await late.pause();
    await addAccounts(solo.sql, 100, 5);
    await solo.caughtUp('east');
    await addAccounts(solo.sql, 110, 5);
    await promoted.catchUp();
    const { changesSkipped } = capture.stats;
    await promote(solo, promoted, address);
    await addAccounts(promoted.sql, 200, 3);
    await until('what was written on the new server', async () => idsOf(await solo.sent('east')).includes(202), 30_000, () => `${capture.trouble}`);
    const expected = [...range(1, 20), ...range(100, 5), ...range(110, 5), ...range(200, 3)];
    expect(idsOf(await solo.sent('east'))).toEqual(expected);
    expect(capture.stats.changesSkipped - changesSkipped, 'it went on where it was, not from far before').toBeLessThan(100);
    expect(capture.status.server?.serverId).toBe(promoted.serverId);
  });

  it('the same at another address, by a restart: it goes on where the topic ends', async () => {
    await capture.stop();
    await addAccounts(promoted.sql, 300, 2);
    capture = await solo.streaming('east', { mysql: captureLogin(promoted.mysql) });
    await until('the rest', async () => idsOf(await solo.sent('east')).includes(301), 30_000, () => `${capture.trouble}`);
    expect(idsOf(await solo.sent('east')).filter((id) => id >= 200)).toEqual([...range(200, 3), ...range(300, 2)]);
  });

  it('a replica that lacks transactions which were sent is refused, and they are named', async () => {
    await capture.stop();
    await late.promote();
    capture = await solo.start('east', { mysql: captureLogin(late.mysql) });
    await until('the refusal', async () => capture.status.troubleCode === 'capture-server-behind', 30_000, () => `${capture.trouble}`);
    const reached = (await endOfBinlog(promoted.sql, engine)).split(',').at(-1) ?? '';
    expect(capture.trouble).toContain(reached.split(engine === 'mysql' ? ':' : '-')[engine === 'mysql' ? 0 : 1]);
    expect(capture.trouble).toContain('run tandem diff and repair, then tandem cdc reset east --part capture --to now');
    await capture.reset({ kind: 'now' });
    await until('it to stream', async () => capture.trouble === null, 30_000, () => `${capture.trouble}`);
    await addAccounts(late.sql, 400);
    await until('what is written there', async () => idsOf(await solo.sent('east')).includes(400), 30_000, () => `${capture.trouble}`);
  });

  /** The old server takes no more writes, the address leads to the new one. */
  async function promote({ mysql }: Solo, to: Replica, at: Forwarder): Promise<void> {
    await mysql.kill9();
    await to.promote();
    at.switchTo(to.mysql.port);
  }

  interface Replica {
    readonly mysql: TestMysql;
    readonly sql: RawConnection;
    readonly serverId: number;
    catchUp(): Promise<void>;
    /** Receives nothing any more. */
    pause(): Promise<void>;
    promote(): Promise<void>;
    end(): Promise<void>;
  }

  /** Native replication of everything, from the first transaction on. */
  async function startReplica({ mysql: source, sql: sourceSql }: Solo): Promise<Replica> {
    const started = await startMysql({ engine, origin: 1 });
    const serverId = randomInt(100, 1_000_000);
    const sql = await openRawConnection(started.config, { role: 'operator' });
    await sql.execute('SET GLOBAL server_id = ?', [serverId]);
    const { port, user, password } = source.config;
    const isMysql = engine === 'mysql';
    const [start, stop] = isMysql ? ['START REPLICA', 'STOP REPLICA'] : ['START SLAVE', 'STOP SLAVE'];
    await sql.execute(isMysql
      ? `CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=${port}, SOURCE_USER='${user}', SOURCE_PASSWORD='${password}', SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, GET_SOURCE_PUBLIC_KEY=1`
      : `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${port}, MASTER_USER='${user}', MASTER_PASSWORD='${password}', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1`);
    await sql.execute(start);
    const catchUp = async (): Promise<void> => {
      const goal = await endOfBinlog(sourceSql, engine);
      const wait = isMysql ? 'SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 8) AS late' : 'SELECT MASTER_GTID_WAIT(?, 8) AS late';
      await until(`the replica to reach ${goal}`, async () => Number((await sql.query<{ late: number }>(wait, [goal]))[0]?.late) === 0);
    };
    await catchUp();
    // Logins are not replicated here; who is to stand in for another server has them already.
    await sql.execute('SET SESSION sql_log_bin = 0');
    for (const statement of grantStatements('tandem_capture', captureLogin(source).password)) await sql.execute(statement);
    await sql.execute('SET SESSION sql_log_bin = 1');
    const mysql = Object.assign(started, { users: { tandem_capture: captureLogin(source, { port: started.port }) } });
    return {
      mysql, sql, serverId, catchUp,
      pause: async () => void (await sql.execute(stop)),
      promote: async () => {
        await sql.execute(stop);
        await sql.execute(isMysql ? 'RESET REPLICA ALL' : 'RESET SLAVE ALL');
      },
      end: async () => {
        await sql.close();
        await started.stop();
      },
    };
  }
});

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
