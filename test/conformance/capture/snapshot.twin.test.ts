/** A region that lost everything is seeded by a snapshot of the other, which is written to all the while. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePositionRecord } from '../../../cdc/capture/position-record.ts';
import { checkServerSettings } from '../../../cdc/capture/server-settings.ts';
import { endOf } from '../../../cdc/capture/start-check.ts';
import { readServerPosition } from '../../../cdc/capture/server-position.ts';
import { CHUNK_ROWS_MAX } from '../../../cdc/capture/snapshot/snapshot-runner.ts';
import { insertSnapshot, listSnapshots } from '../../../cdc/capture/snapshot/snapshot-store.ts';
import { formatPosition } from '../../../cdc/change/position.ts';
import { changeTopic } from '../../../cdc/change/envelope.ts';
import { decodeChange } from '../../../cdc/change/codec.ts';
import { ensureChangeTopic } from '../../../cdc/transport/topic.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { REPLICATED_TABLES } from '../../../shared/schema/tables.ts';
import { startCapture } from '../../../cdc/capture/capture.ts';
import { startProcesses } from '../../cdc/processes.ts';
import type { CdcProcesses } from '../../cdc/processes.ts';
import { PARTITIONS, startTwin, until } from '../../cdc/twin.ts';
import type { Twin } from '../../cdc/twin.ts';
import { randomOf, runWorkload } from '../../cdc/workload.ts';
import { startEtcd } from '../../harness/etcd.ts';
import type { TestEtcd } from '../../harness/etcd.ts';
import { engines } from '../../harness/mysql.ts';

const ROWS = 30_000;
const ROWS_PER_SECOND = 4_000;
const KILLS = 2;
const SEED = Number(process.env['TANDEM_SEED'] ?? Math.floor(Math.random() * 1e9));
const TABLES = ['accounts', 'vehicles', 'fare_cards'];

describe.each(await engines())('a snapshot on %s', (engine) => {
  let twin: Twin;
  let etcd: TestEtcd;
  let database: Database;
  let processes: CdcProcesses | undefined;

  beforeAll(async () => {
    [twin, etcd] = await Promise.all([startTwin(engine), startEtcd()]);
    const rows = Array.from({ length: ROWS }, (_, i) => [10 * i + 1000, `a${i}`, i % 64]);
    for (let at = 0; at < rows.length; at += 5_000) await twin.east.sql.execute('INSERT INTO accounts (id, display_name, unit) VALUES ?', [rows.slice(at, at + 5_000)]);
    const mysql = twin.east.mysql.users['tandem_capture'];
    if (mysql === undefined) throw new Error('no user for capture');
    database = openDatabase(mysql, { log: twin.east.log });
    // East begins at the end of its binlog: what stands there by now reaches west by a snapshot or not at all.
    await ensureChangeTopic(twin.east.kafka, { region: 'east', partitions: PARTITIONS });
    const facts = await checkServerSettings(database, null);
    const position = formatPosition(endOf(await readServerPosition(database, engine)));
    await writePositionRecord({ kafka: twin.east.kafka, pulse: { region: 'east', origin: 1, partitions: PARTITIONS }, mysql, database, facts, position });
  });
  afterAll(async () => {
    await processes?.[Symbol.asyncDispose]();
    await database?.close();
    await Promise.all([twin?.[Symbol.asyncDispose](), etcd?.stop()]);
  });

  it(`seeds an empty region under load, and goes on after kill -9 where Kafka had it (seed ${SEED})`, { timeout: 240_000 }, async () => {
    processes = await startProcesses(twin, etcd, { supervised: true });
    const capture = processes.of('capture', 'east');
    const load = new AbortController();
    const connect = () => openRawConnection(twin.east.mysql.config, { role: 'workload' });
    const written = Promise.all([runWorkload({ connect, seed: SEED, pauseMs: 4, signal: load.signal }), wanderThroughAccounts(connect, SEED + 1, load.signal)]);
    const { id } = await insertSnapshot(database, { tables: TABLES, rowsPerSecond: ROWS_PER_SECOND, actor: 'test', reason: 'west is new' }, REPLICATED_TABLES);
    const progress = async () => (await listSnapshots(database, 'WHERE id = ?', [id]))[0];
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const goal = (ROWS * kill) / (KILLS + 1);
      await until(`${goal} rows`, async () => ((await progress())?.rowsDone ?? 0) >= goal, 90_000);
      await capture.kill9();
      capture.start();
    }
    await until('the snapshot', async () => (await progress())?.state === 'done', 120_000);
    load.abort();
    await written;
    await twin.settle();
    const [east, west] = [await twin.east.everything(), await twin.west.everything()];
    for (const table of TABLES) expect(west[table], `${table}, seed ${SEED}`).toEqual(east[table]);
    expect(west['accounts']?.length).toBeGreaterThan(ROWS - 2_000);

    const tails = await twin.east.kafka.readTails(changeTopic('east'), 10_000_000);
    const read = [...tails.values()].flat().map(({ value }) => decodeChange(value)).filter(({ op, table }) => op === 'r' && table === 'accounts').length;
    console.log(`${engine}: ${read} rows sent by the snapshot of ${ROWS} with ${KILLS} kills`);
    expect(read, 'no more than a chunk is read again after each kill').toBeLessThanOrEqual(ROWS + 2_000 + KILLS * CHUNK_ROWS_MAX);
    await processes[Symbol.asyncDispose]();
    processes = undefined;
  });

  it('two captures of one region at work at once, as after a lease lost unnoticed: the peer ends up the same', { timeout: 120_000 }, async () => {
    await twin.startAll();
    const mysql = twin.east.mysql.users['tandem_capture'];
    if (mysql === undefined) throw new Error('no user for capture');
    const second = await startCapture({ region: 'east', origin: 1, partitions: PARTITIONS, mysql, database, kafka: twin.east.kafka, log: twin.east.log });
    const load = new AbortController();
    const connect = () => openRawConnection(twin.east.mysql.config, { role: 'workload' });
    const written = runWorkload({ connect, seed: SEED + 2, pauseMs: 3, signal: load.signal });
    await until('both to have sent', async () => second.stats.changesSent > 200 && (twin.east.capture?.stats.changesSent ?? 0) > 200, 60_000, () => `${second.trouble} ${twin.east.capture?.trouble}`);
    load.abort();
    await written;
    await second.stop();
    await twin.settle();
    expect(await twin.west.everything()).toEqual(await twin.east.everything());
  });
});

/** Updates, deletes, key changes and inserts all over the table that the snapshot walks through. */
async function wanderThroughAccounts(connect: () => ReturnType<typeof openRawConnection>, seed: number, signal: AbortSignal): Promise<void> {
  const random = randomOf(seed);
  const connection = await connect();
  const anyId = (): number => 1000 + 10 * random(ROWS);
  while (!signal.aborted) {
    const id = anyId();
    const choice = random(4);
    if (choice === 0) await connection.execute('UPDATE accounts SET display_name = ? WHERE id BETWEEN ? AND ?', [`w${random(1e6)}`, id, id + random(100)]);
    else if (choice === 1) await connection.execute('DELETE FROM accounts WHERE id = ?', [id]);
    else if (choice === 2) await moved(connection, id, anyId() + 1 + random(9));
    else await connection.execute('INSERT IGNORE INTO accounts (id, display_name, unit) VALUES (?, ?, ?)', [id + 1 + random(9), 'new', random(64)]);
  }
  await connection.close();
}

async function moved(connection: RawConnection, from: number, to: number): Promise<void> {
  try {
    await connection.execute('UPDATE accounts SET id = ? WHERE id = ?', [to, from]);
  } catch (error) {
    // The place is taken.
    if (!isTandemError(error, 'db-duplicate')) throw error;
  }
}
