/**
 * Apply alone, against a real database and a real Kafka: a test writes the peer's topic itself, change by change.
 *
 * Invariant: what the topic holds is what a capture of the peer would have sent, but for what a test breaks on purpose.
 */
import { startApply } from '../../../cdc/apply/apply.ts';
import type { Apply, ApplyDeps } from '../../../cdc/apply/apply.ts';
import { encodeChange } from '../../../cdc/change/codec.ts';
import { changeTopic } from '../../../cdc/change/envelope.ts';
import type { Change, Image, Operation } from '../../../cdc/change/envelope.ts';
import type { Hlc } from '../../../shared/clock/hlc.ts';
import { openKafka } from '../../../shared/kafka/kafka.ts';
import type { KafkaClient } from '../../../shared/kafka/kafka.ts';
import type { KafkaProducer } from '../../../shared/kafka/producer.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection, RawRow } from '../../../shared/mysql/raw-connection.ts';
import { REPLICATED_TABLES } from '../../../shared/schema/tables.ts';
import { triggersFor } from '../../../shared/schema/triggers.ts';
import { REGIONS, memoryLog, until } from '../../cdc/twin.ts';
import { startKafka } from '../../harness/kafka.ts';
import type { TestKafka } from '../../harness/kafka.ts';
import { startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';

export const PARTITIONS = 4;
/** The target is the west, the changes are the east's. */
const SOURCE = 'east';
const ORIGIN = 1;
const BEGAN = (BigInt(Date.now()) - 3_600_000n) << 16n;

export interface Draft {
  readonly op: Operation;
  readonly table: string;
  readonly id: number | bigint;
  readonly unit: number;
  /** Without id, unit and version. */
  readonly row?: Image;
  /** The n-th moment of the test's own time. */
  readonly at: number;
  /** Of an update or delete: when the row it changes was written. */
  readonly was?: number;
  readonly before?: Image;
  readonly schema?: string;
  readonly gtid?: number;
}

export function hlcAt(at: number): Hlc {
  return (BEGAN + (BigInt(at) << 16n)) as Hlc;
}

export class Rig {
  readonly mysql: TestMysql;
  readonly kafka: TestKafka;
  readonly client: KafkaClient;
  /** An operator's session, as root. */
  readonly sql: RawConnection;
  readonly log = memoryLog();
  readonly #producer: KafkaProducer;
  readonly #tables: readonly string[];
  #applies: Apply[] = [];
  #sequence = 0;

  private constructor(parts: { mysql: TestMysql; kafka: TestKafka; client: KafkaClient; sql: RawConnection; producer: KafkaProducer; tables: readonly string[] }) {
    this.mysql = parts.mysql;
    this.kafka = parts.kafka;
    this.client = parts.client;
    this.sql = parts.sql;
    this.#producer = parts.producer;
    this.#tables = parts.tables;
  }

  static async start(engine: TestMysql['engine'], extraTables: Readonly<Record<string, string>> = {}): Promise<Rig> {
    const [mysql, kafka] = await Promise.all([startMysql({ engine, origin: 2, grants: true }), startKafka()]);
    const client = openKafka({ brokers: [kafka.broker], clientId: 'rig', log: memoryLog() });
    await client.ensureTopic({ topic: changeTopic(SOURCE), partitions: PARTITIONS });
    const sql = await openRawConnection(mysql.config, { role: 'operator' });
    for (const ddl of Object.values(extraTables)) await sql.execute(ddl);
    const names = Object.keys(extraTables);
    for (const trigger of triggersFor(2, names).filter(({ table }) => names.includes(table))) await sql.execute(trigger.sql);
    return new Rig({ mysql, kafka, client, sql, producer: await client.producer(), tables: [...REPLICATED_TABLES, ...names] });
  }

  login(): TestMysql['config'] {
    const login = this.mysql.users['tandem_apply'];
    if (login === undefined) throw new Error('no user tandem_apply');
    return login;
  }

  /** One transaction of the peer. Its changes go to their units' partitions, where the last of each ends it. */
  async send(...drafts: readonly Draft[]): Promise<void> {
    this.#sequence += 1;
    const changes = drafts.map((draft, order) => this.change(draft, order));
    const lastOf = new Map(changes.map((change, i) => [change.unit % PARTITIONS, i]));
    const messages = changes.map((change, i) => ({ partition: change.unit % PARTITIONS, value: encodeChange({ ...change, last: lastOf.get(change.unit % PARTITIONS) === i }) }));
    await this.sendRaw(messages);
  }

  async sendRaw(messages: readonly { readonly partition: number; readonly value: string | Buffer }[]): Promise<void> {
    const batches = [...Map.groupBy(messages, ({ partition }) => partition)].map(([partition, its]) => ({
      topic: changeTopic(SOURCE), partition, messages: its.map(({ value }) => ({ key: 'test', value })),
    }));
    await this.#producer.send(batches, { deadlineMs: 60_000 });
  }

  change({ op, table, id, unit, row = {}, at, was, before = row, schema, gtid = this.#sequence }: Draft, order = 0): Change {
    const version = (moment: number) => ({ _hlc: String(hlcAt(moment)), _origin: ORIGIN });
    const image = (columns: Image, moment: number): Image => ({ id: String(id), ...columns, unit, ...version(moment) });
    return {
      op, table, id: String(id), unit, version: { hlc: hlcAt(at), origin: ORIGIN }, tsMs: 0, last: true, position: `1-1-${gtid}`,
      before: was === undefined ? null : image(before, was),
      after: op === 'd' ? null : image(row, at),
      source: { region: SOURCE, database: 'tandem', serverId: 1, gtid: `1-1-${gtid}`, file: 'binlog.1', pos: 4, row: order, ...(schema === undefined ? {} : { schema }) },
      transaction: { id: `1-1-${gtid}`, order, tableOrder: order },
    };
  }

  apply(options: Partial<ApplyDeps> = {}): Apply {
    const apply = startApply({
      region: 'west', regions: REGIONS, peer: SOURCE, mysql: this.login(), kafka: this.client, ownKafka: this.client, log: this.log, tables: this.#tables, ...options,
    });
    this.#applies.push(apply);
    return apply;
  }

  async stopApplies(): Promise<void> {
    const applies = this.#applies;
    this.#applies = [];
    await Promise.all(applies.map((apply) => apply.stop()));
  }

  /** Until every partition's checkpoint is at the end of the topic. */
  async caughtUp(): Promise<void> {
    const ends = await this.client.topicOffsets(changeTopic(SOURCE));
    await until('the checkpoints to reach the end', async () => {
      const places = await this.checkpoints();
      return ends.every(({ partition, high }) => high === 0n || (places.get(partition) ?? -1n) >= high);
    }, 60_000, () => JSON.stringify({ troubles: this.#applies.map((apply) => [apply.trouble, apply.partitions]), log: this.log.lines.slice(-6) },
      (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value instanceof Error ? `${value.message} <- ${String(value.cause)}` : value)));
  }

  async checkpoints(): Promise<Map<number, bigint>> {
    const rows = await this.sql.query<{ partition_no: number; next_offset: string }>('SELECT partition_no, next_offset FROM _checkpoints');
    return new Map(rows.map((row) => [row.partition_no, BigInt(row.next_offset)]));
  }

  async rows(table: string, columns: string): Promise<RawRow[]> {
    return await this.sql.query(`SELECT ${columns} FROM ${table} ORDER BY id`);
  }

  async close(): Promise<void> {
    await this.stopApplies();
    await this.#producer.close();
    await this.client.close();
    await this.sql.close();
    await Promise.all([this.mysql.stop(), this.kafka.stop()]);
  }
}

/** Columns of `accounts` that have to be there. */
export function account(name: string): Image {
  return { display_name: name };
}
