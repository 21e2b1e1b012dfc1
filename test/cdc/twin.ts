/**
 * Two regions for a test: a database each, one Kafka for both topics, capture and apply of each in this process.
 *
 * Invariant: every part can be stopped, killed or left out by the test; dispose ends all of them.
 */
import { startApply } from '../../cdc/apply/apply.ts';
import type { Apply } from '../../cdc/apply/apply.ts';
import { startCapture } from '../../cdc/capture/capture.ts';
import type { Capture } from '../../cdc/capture/capture.ts';
import { decodeChange } from '../../cdc/change/codec.ts';
import { changeTopic } from '../../cdc/change/envelope.ts';
import type { Change } from '../../cdc/change/envelope.ts';
import { sleep } from '../../shared/kernel/deadline.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { Regions } from '../../shared/kernel/region.ts';
import { openKafka } from '../../shared/kafka/kafka.ts';
import type { KafkaClient } from '../../shared/kafka/kafka.ts';
import { openDatabase } from '../../shared/mysql/database.ts';
import type { Database } from '../../shared/mysql/database.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import type { RawConnection, RawRow } from '../../shared/mysql/raw-connection.ts';
import { REPLICATED_TABLES } from '../../shared/schema/tables.ts';
import { triggersFor } from '../../shared/schema/triggers.ts';
import { startKafka } from '../harness/kafka.ts';
import type { TestKafka } from '../harness/kafka.ts';
import { startMysql } from '../harness/mysql.ts';
import type { TestMysql } from '../harness/mysql.ts';

export const REGIONS = Regions.parse('east=1,west=2');
export type Side = 'east' | 'west';
export const SIDES: readonly Side[] = ['east', 'west'];
export const other = (side: Side): Side => (side === 'east' ? 'west' : 'east');

export const PARTITIONS = 4;
const READ_AHEAD = 100;
const SETTLE_DEADLINE_MS = 60_000;

/** Keeps warnings and errors, so that a test can look and a failure can tell. */
export function memoryLog(): LogSink & { readonly lines: { level: string; message: string; fields: Record<string, unknown> }[] } {
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const at = (level: string) => (fields: Record<string, unknown>, message: string): void => {
    if (level !== 'debug') lines.push({ level, message, fields });
    if (process.env['TANDEM_TEST_LOG']) console.log(level, message, fields);
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), fatal: at('fatal') };
}

export class Region {
  readonly side: Side;
  readonly mysql: TestMysql;
  /** The operator's session; see reconnect() where the test kills the database. */
  sql: RawConnection;
  /** Its own region's: where its changes are. */
  readonly kafka: KafkaClient;
  readonly #peerKafka: KafkaClient;
  readonly log = memoryLog();
  readonly #database: Database;
  readonly #tables: readonly string[];
  capture: Capture | undefined;
  apply: Apply | undefined;

  private constructor({ side, mysql, sql, kafka, peerKafka, tables }: { side: Side; mysql: TestMysql; sql: RawConnection; kafka: KafkaClient; peerKafka: KafkaClient; tables: readonly string[] }) {
    this.side = side;
    this.mysql = mysql;
    this.sql = sql;
    this.kafka = kafka;
    this.#peerKafka = peerKafka;
    this.#tables = tables;
    this.#database = openDatabase({ ...this.#login('tandem_capture'), poolSize: 2 }, { log: this.log });
  }

  static async open(side: Side, mysql: TestMysql, brokers: { own: string; peer: string }, extra: ExtraTables): Promise<Region> {
    const kafka = openKafka({ brokers: [brokers.own], clientId: `test-${side}`, log: memoryLog() });
    const peerKafka = openKafka({ brokers: [brokers.peer], clientId: `test-${side}`, log: memoryLog() });
    const sql = await openRawConnection(mysql.config, { role: 'operator' });
    for (const ddl of Object.values(extra)) await sql.execute(ddl);
    const names = Object.keys(extra);
    const triggers = triggersFor(REGIONS.originOf(side), names).filter(({ table }) => names.includes(table));
    for (const trigger of triggers) await sql.execute(trigger.sql);
    return new Region({ side, mysql, sql, kafka, peerKafka, tables: [...REPLICATED_TABLES, ...names] });
  }

  get origin(): number {
    return REGIONS.originOf(this.side);
  }

  #login(user: string) {
    const login = this.mysql.users[user];
    if (login === undefined) throw new Error(`no user ${user}`);
    return login;
  }

  async startCapture(): Promise<Capture> {
    this.capture = await startCapture({
      region: this.side, origin: this.origin, partitions: PARTITIONS, mysql: this.#login('tandem_capture'),
      database: this.#database, kafka: this.kafka, log: this.log, tables: this.#tables,
    });
    return this.capture;
  }

  async stopCapture(): Promise<void> {
    await this.capture?.stop();
    this.capture = undefined;
  }

  startApply(options: { limits?: { rows: number; bytes: number } } = {}): Apply {
    this.apply = startApply({
      region: this.side, regions: REGIONS, peer: other(this.side), mysql: this.#login('tandem_apply'), kafka: this.#peerKafka, log: this.log, ...options,
    });
    return this.apply;
  }

  async stopApply(): Promise<void> {
    await this.apply?.stop();
    this.apply = undefined;
  }

  /** Every row of a replicated table with all its columns, versions included. */
  async rowsOf(table: string): Promise<RawRow[]> {
    const columns = await this.sql.query<{ c: string }>(
      'SELECT COLUMN_NAME AS c FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION', [table],
    );
    return await this.sql.query(`SELECT ${columns.map(({ c }) => `\`${c}\``).join(', ')} FROM ${table} ORDER BY id`);
  }

  async everything(): Promise<Record<string, RawRow[]>> {
    const tables: Record<string, RawRow[]> = {};
    for (const table of this.#tables) tables[table] = await this.rowsOf(table);
    return tables;
  }

  async conflicts(): Promise<RawRow[]> {
    return await this.sql.query('SELECT * FROM _conflicts ORDER BY detected_at, id');
  }

  async reconnect(): Promise<void> {
    await this.sql.close();
    this.sql = await openRawConnection(this.mysql.config, { role: 'operator' });
  }

  async close(): Promise<void> {
    await this.stopApply();
    await this.stopCapture();
    await this.#database.close();
    await this.kafka.close();
    await this.#peerKafka.close();
    await this.sql.close();
  }
}

export interface Twin extends AsyncDisposable {
  readonly east: Region;
  readonly west: Region;
  readonly kafka: TestKafka;
  /** The same one for both unless the twin was started with a Kafka for each region. */
  kafkaOf(side: Side): TestKafka;
  of(side: Side): Region;
  startAll(): Promise<void>;
  /** Resolves once this region has applied all that the other had written by now. */
  hears(side: Side): Promise<void>;
  /** Resolves once each region has applied all that the other had written by now. */
  settle(deadlineMs?: number): Promise<void>;
}

/** Replicated tables beside the schema's own, by name: their CREATE TABLE, with `id`, `unit`, `_hlc` and `_origin`. */
export type ExtraTables = Readonly<Record<string, string>>;

export async function startTwin(engine: TestMysql['engine'], { extraTables = {}, kafkaEach = false }: { extraTables?: ExtraTables; kafkaEach?: boolean } = {}): Promise<Twin> {
  const started = await Promise.all([startMysql({ engine, origin: 1, grants: true }), startMysql({ engine, origin: 2, grants: true }), startKafka(), ...(kafkaEach ? [startKafka()] : [])]);
  const [eastMysql, westMysql, kafka, westKafka = kafka] = started as [TestMysql, TestMysql, TestKafka, TestKafka?];
  const east = await Region.open('east', eastMysql, { own: kafka.broker, peer: westKafka.broker }, extraTables);
  const west = await Region.open('west', westMysql, { own: westKafka.broker, peer: kafka.broker }, extraTables);
  const of = (side: Side): Region => (side === 'east' ? east : west);
  return {
    east, west, kafka, of,
    kafkaOf: (side) => (side === 'east' ? kafka : westKafka),
    startAll: async () => {
      await Promise.all([east.startCapture(), west.startCapture()]);
      await Promise.all(SIDES.map((side) => until(`the topic of ${side}`, async () => of(side).capture?.trouble === null)));
      for (const region of [east, west]) region.startApply();
    },
    hears: (side) => reached(of(other(side)), of(side)),
    settle: async (deadlineMs) => {
      await Promise.all(SIDES.map((side) => reached(of(side), of(other(side)), deadlineMs)));
      // What the first round made the peers write (rows set aside) has its own way to go.
      await Promise.all(SIDES.map((side) => reached(of(side), of(other(side)), deadlineMs)));
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([east.close(), west.close()]);
      await Promise.all(started.map((server) => server.stop()));
    },
  };
}

/** The end of each partition of a region's topic now, for dataSince(). */
export async function topicEnds({ kafka, side }: Region): Promise<ReadonlyMap<number, bigint>> {
  return new Map((await kafka.topicOffsets(changeTopic(side))).map(({ partition, high }) => [partition, high]));
}

/** What a region sent after those ends, heartbeats left out. */
export async function dataSince({ kafka, side }: Region, ends: ReadonlyMap<number, bigint>): Promise<Change[]> {
  const changes: Change[] = [];
  for (const { partition, high } of await kafka.topicOffsets(changeTopic(side))) {
    const end = ends.get(partition) ?? 0n;
    // Heartbeats that come in between must not push the first of them out of what is read.
    const messages = await kafka.readLast(changeTopic(side), partition, Number(high - end) + READ_AHEAD);
    changes.push(...messages.filter(({ offset }) => offset >= end).map(({ value }) => decodeChange(value.toString())));
  }
  return changes.filter(({ table }) => table !== '_heartbeats');
}

/** Waits until `target` has applied a heartbeat in every partition that `source` wrote after this call. */
async function reached(source: Region, target: Region, deadlineMs = SETTLE_DEADLINE_MS): Promise<void> {
  const beat = async (): Promise<{ beat: string; hlc: string } | undefined> =>
    (await source.sql.query<{ beat: string; hlc: string }>('SELECT beat, _hlc AS hlc FROM _heartbeats WHERE id = ?', [source.origin]))[0];
  const before = BigInt((await beat())?.beat ?? 0);
  let hlc = 0n;
  await until(`a heartbeat of ${source.side}`, async () => {
    const now = await beat();
    hlc = BigInt(now?.hlc ?? 0);
    return BigInt(now?.beat ?? 0) > before + 1n;
  }, deadlineMs);
  await until(`${target.side} to apply what ${source.side} wrote`, async () => {
    const rows = await target.sql.query<{ w: string }>('SELECT watermark_hlc AS w FROM _checkpoints WHERE source = ?', [source.side]);
    return rows.length === PARTITIONS && rows.every(({ w }) => BigInt(w) >= hlc);
  }, deadlineMs, () => JSON.stringify({
    capture: source.capture?.trouble, apply: target.apply?.trouble, partitions: target.apply?.partitions, stats: target.apply?.stats,
    log: [...source.log.lines, ...target.log.lines].filter((line) => line.level !== 'info').slice(-12),
  }, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value instanceof Error ? `${value.message} <- ${String(value.cause)}` : value), 1));
}

export async function until(
  what: string, holds: () => Promise<boolean>, deadlineMs: number = SETTLE_DEADLINE_MS, describe: () => string = () => '',
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what} ${describe()}`);
    await sleep(20);
  }
}
