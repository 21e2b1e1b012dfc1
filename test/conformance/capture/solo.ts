/**
 * One region's capture alone: a database, a Kafka, and any number of captures beside or after one another in this process.
 *
 * Invariant: each case takes a region name of its own, hence a topic of its own: what another case sent is not in its way.
 */
import { startCapture } from '../../../cdc/capture/capture.ts';
import type { Capture, CaptureDeps } from '../../../cdc/capture/capture.ts';
import { decodeChange } from '../../../cdc/change/codec.ts';
import { changeTopic } from '../../../cdc/change/envelope.ts';
import type { Change } from '../../../cdc/change/envelope.ts';
import { openKafka } from '../../../shared/kafka/kafka.ts';
import type { KafkaClient } from '../../../shared/kafka/kafka.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database, MysqlConfig } from '../../../shared/mysql/database.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { memoryLog, until } from '../../cdc/twin.ts';
import { startKafka } from '../../harness/kafka.ts';
import type { TestKafka } from '../../harness/kafka.ts';
import { startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';

export const PARTITIONS = 2;
/** More messages than any case sends. */
const EVERYTHING = 1_000_000;

export interface Solo extends AsyncDisposable {
  readonly mysql: TestMysql;
  readonly kafka: KafkaClient;
  readonly broker: TestKafka;
  /** Root, as an operator. */
  readonly sql: RawConnection;
  readonly log: ReturnType<typeof memoryLog>;
  /** What a capture of that region takes; `more` changes it. */
  deps(region: string, more?: Partial<CaptureDeps>): CaptureDeps;
  /** Ended by dispose() at the latest. */
  start(region: string, more?: Partial<CaptureDeps>): Promise<Capture>;
  /** As start(), once it streams. */
  streaming(region: string, more?: Partial<CaptureDeps>): Promise<Capture>;
  /** Everything in the region's topic but heartbeats, partition by partition. */
  sent(region: string): Promise<Change[]>;
  /** Resolves once the capture has sent what stands in the binlog now. */
  caughtUp(region: string): Promise<void>;
}

export async function startSolo(engine: TestMysql['engine']): Promise<Solo> {
  const [mysql, broker] = await Promise.all([startMysql({ engine, origin: 1, grants: true }), startKafka()]);
  const log = memoryLog();
  const kafka = openKafka({ brokers: [broker.broker], clientId: 'test-solo', log: memoryLog() });
  const sql = await openRawConnection(mysql.config, { role: 'operator' });
  const databases: Database[] = [];
  const captures: Capture[] = [];
  const deps = (region: string, more: Partial<CaptureDeps> = {}): CaptureDeps => {
    const config = more.mysql ?? captureLogin(mysql);
    const database = openDatabase({ ...config, poolSize: 3 }, { log });
    databases.push(database);
    return { region, origin: 1, partitions: PARTITIONS, mysql: config, database, kafka, log, heartbeatEveryMs: 50, checkEveryMs: 200, ...more };
  };
  const start = async (region: string, more: Partial<CaptureDeps> = {}): Promise<Capture> => {
    const capture = await startCapture(deps(region, more));
    captures.push(capture);
    return capture;
  };
  const sent = async (region: string): Promise<Change[]> => {
    const tails = await kafka.readTails(changeTopic(region), EVERYTHING);
    const changes = [...tails.values()].flat().map(({ value }) => decodeChange(value));
    return changes.filter(({ table }) => table !== '_heartbeats');
  };
  return {
    mysql, kafka, broker, sql, log, deps, start, sent,
    streaming: async (region, more) => {
      const capture = await start(region, more);
      await until(`capture of ${region}`, async () => capture.trouble === null, 30_000, () => `${capture.trouble}`);
      return capture;
    },
    caughtUp: async (region) => {
      const [row] = await sql.query<{ beat: string }>('SELECT beat FROM _heartbeats WHERE id = 1');
      const goal = BigInt(row?.beat ?? 0) + 2n;
      await until(`${region} to send beat ${goal}`, async () => {
        const tails = await kafka.readTails(changeTopic(region), 1);
        return [...tails.values()].every(([tail]) => {
          const change = tail === undefined ? undefined : decodeChange(tail.value);
          return change?.table === '_heartbeats' && change.op !== 'r' && BigInt(String(change.after?.['beat'] ?? 0)) >= goal;
        });
      });
    },
    [Symbol.asyncDispose]: async () => {
      broker.thaw();
      await Promise.all(captures.map((capture) => capture.stop()));
      await Promise.all(databases.map((database) => database.close()));
      await sql.close();
      await kafka.close();
      await Promise.all([mysql.stop(), broker.stop()]);
    },
  };
}

/** Capture's login to that server, under another address where `at` says so. */
export function captureLogin(mysql: TestMysql, at: Partial<MysqlConfig> = {}): MysqlConfig {
  return { ...(mysql.users['tandem_capture'] as MysqlConfig), ...at };
}

/** `count` accounts from `first` on, in one statement. */
export async function addAccounts(sql: RawConnection, first: number, count = 1): Promise<void> {
  const rows = Array.from({ length: count }, (_, i) => [first + i, `a${first + i}`, (first + i) % 4]);
  await sql.execute('INSERT INTO accounts (id, display_name, unit) VALUES ?', [rows]);
}

export const idsOf = (changes: readonly Change[], table = 'accounts'): number[] =>
  changes.filter((change) => change.table === table).map(({ id }) => Number(id)).toSorted((a, b) => a - b);

/** The end of the binlog, as the server prints it. */
export async function endOfBinlog(sql: RawConnection, engine: TestMysql['engine']): Promise<string> {
  const [row] = await sql.query<{ at: string }>(engine === 'mysql' ? 'SELECT @@GLOBAL.gtid_executed AS at' : 'SELECT @@GLOBAL.gtid_binlog_pos AS at');
  return (row?.at ?? '').replaceAll(/\s/g, '');
}

/** Every binlog but the one being written goes; a server keeps one for as long as a reader that has just left seems to be at it. */
export async function purgeBinlogs(sql: RawConnection): Promise<void> {
  await sql.execute('FLUSH BINARY LOGS');
  const newest = (await sql.query<{ Log_name: string }>('SHOW BINARY LOGS')).at(-1)?.Log_name;
  await until('the purge', async () => {
    // What wakes the reader's thread on the server, so that it notices.
    await sql.execute('UPDATE _heartbeats SET beat = beat + 1 WHERE id = 1');
    await sql.execute('PURGE BINARY LOGS TO ?', [newest]);
    return (await sql.query<{ Log_name: string }>('SHOW BINARY LOGS'))[0]?.Log_name === newest;
  });
}
