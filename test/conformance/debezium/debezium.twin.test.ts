/**
 * A real Debezium connector in the place of capture: what it puts on Kafka, our apply writes.
 *
 * The east is read by Debezium, the west by our own capture; each side's apply is Tandem's. The topic of the east has one partition, so that
 * whatever is written after something else arrives after it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDebezium } from '../../../cdc/debezium/debezium-message.ts';
import { ensureChangeTopic } from '../../../cdc/transport/topic.ts';
import { changeTopic } from '../../../cdc/change/envelope.ts';
import type { RawRow } from '../../../shared/mysql/raw-connection.ts';
import { REPLICATED_TABLES } from '../../../shared/schema/tables.ts';
import { startTwin, until } from '../../cdc/twin.ts';
import type { Region, Twin } from '../../cdc/twin.ts';
import { kafkaConnectIsHere, startKafkaConnect } from '../../harness/kafka-connect.ts';
import type { TestKafkaConnect } from '../../harness/kafka-connect.ts';
import { engines } from '../../harness/mysql.ts';
import { connectorConfig } from './connector.ts';
import { ZOO, zooRows } from './zoo.ts';

const CONNECTOR = 'east';
const isHere = kafkaConnectIsHere();
if (!isHere) console.log('Debezium conformance is skipped: its jars are not in the cache; ./tandem test fetches them from Maven Central where it can');

describe.skipIf(!isHere).each(await engines())('Debezium in place of capture, on %s', (engine) => {
  let twin: Twin;
  let connect: TestKafkaConnect;
  let east: Region;
  let west: Region;
  let marks = 9_000_000;

  beforeAll(async () => {
    twin = await startTwin(engine, { extraTables: { zoo: ZOO } });
    ({ east, west } = twin);
    connect = await startKafkaConnect({ broker: twin.kafka.broker });
    await ensureChangeTopic(east.kafka, { region: 'east', partitions: 1 });
    // Stands before anybody reads: the snapshot has to bring it.
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (1, 'was here before', 1), (2, 'this too', 2)");
    await east.sql.execute(zooRows(1));
    await connect.put(CONNECTOR, config());
    await west.startCapture();
    await until('the topic of the west', async () => west.capture?.trouble === null);
    west.startApply();
    east.startApply();
  });

  afterAll(async () => {
    await connect?.stop();
    await twin?.[Symbol.asyncDispose]();
  });

  const config = (more: Record<string, string | boolean> = {}) => ({
    ...connectorConfig({ mysql: east.mysql, broker: twin.kafka.broker, region: 'east', origin: east.origin, tables: [...REPLICATED_TABLES, 'zoo'] }), ...more,
  });

  /** Everything written in the east before is in the west, and the other way round. */
  async function arrived(): Promise<void> {
    const id = (marks += 1);
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (?, 'mark', 0)", [id]);
    await until('the west to show what the east wrote', async () => {
      const trouble = await connect.troubleOf(CONNECTOR);
      if (trouble !== null) throw new Error(trouble);
      return (await find(west, id)) !== undefined;
    }, 60_000, () => JSON.stringify([west.apply?.trouble, west.log.lines.filter(({ level }) => level !== 'info').slice(-3).map(({ message, fields }) => `${message} ${String(fields['err'])}`)]));
    // One for each partition of the west's topic.
    const back = Array.from({ length: 4 }, () => (marks += 1));
    for (const each of back) await west.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (?, 'mark', ?)", [each, each % 4]);
    await until('the east to show what the west wrote', async () => (await Promise.all(back.map((each) => find(east, each)))).every((row) => row !== undefined));
  }

  it('a snapshot brings the rows that stood before', async () => {
    await arrived();
    expect(await west.rowsOf('accounts')).toEqual(await east.rowsOf('accounts'));
  });

  it('every column type arrives as it was, read by a snapshot', async () => {
    expect(await west.rowsOf('zoo')).toEqual(await east.rowsOf('zoo'));
    expect(await west.rowsOf('zoo')).toHaveLength(3);
  });

  it('every column type arrives as it was, read from the binlog', async () => {
    await east.sql.execute(zooRows(11));
    await arrived();
    expect(await west.rowsOf('zoo')).toEqual(await east.rowsOf('zoo'));
    expect(await west.rowsOf('zoo')).toHaveLength(6);
  });

  it('inserts and updates arrive with the versions of their source', async () => {
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (10, 'Ann', 3), (11, 'Bo', 4)");
    await east.sql.execute("UPDATE accounts SET display_name = 'Ann B' WHERE id = 10");
    await arrived();
    expect(await find(west, 10)).toEqual({ ...(await find(east, 10)), display_name: 'Ann B' });
    expect(await find(west, 11)).toEqual(await find(east, 11));
  });

  it('a delete arrives with the version of its tombstone, which keeps a late update out', async () => {
    await east.sql.execute('DELETE FROM accounts WHERE id = 11');
    await arrived();
    const tombstones = "SELECT table_name, row_id, unit, _hlc, _origin FROM _tombstones WHERE table_name = 'accounts' AND row_id = 11";
    expect(await find(west, 11)).toBeUndefined();
    expect(await west.sql.query(tombstones)).toEqual(await east.sql.query(tombstones));
  });

  it('a row whose key changed leaves its old place', async () => {
    await east.sql.execute('UPDATE accounts SET id = 12 WHERE id = 10');
    await arrived();
    expect(await find(west, 10)).toBeUndefined();
    expect(await find(west, 12)).toEqual(await find(east, 12));
  });

  it('a transaction over tables and units arrives whole in the end, rolled back ones not at all', async () => {
    await east.sql.execute('START TRANSACTION');
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (20, 'in', 5)");
    await east.sql.execute("INSERT INTO vehicles (id, driver_id, plate, seats, unit) VALUES (20, 20, 'TX 20', 4, 6)");
    await east.sql.execute('COMMIT');
    await east.sql.execute('START TRANSACTION');
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (21, 'out', 5)");
    await east.sql.execute('ROLLBACK');
    await arrived();
    expect(await west.rowsOf('vehicles')).toEqual(await east.rowsOf('vehicles'));
    expect([(await find(west, 20))?.['display_name'], await find(west, 21)]).toEqual(['in', undefined]);
  });

  it('what apply wrote from the peer does not come back: not as a row, not as a delete', async () => {
    await west.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (30, 'of the west', 1), (31, 'going', 2)");
    await arrived();
    await west.sql.execute("UPDATE accounts SET display_name = 'renamed' WHERE id = 30");
    await west.sql.execute('DELETE FROM accounts WHERE id = 31');
    await arrived();
    expect(await find(east, 30)).toEqual(await find(west, 30));
    expect(await find(east, 31)).toBeUndefined();
    // Debezium did put them on the topic, as the binlog has them: it is the reader who drops them.
    const taken = await messagesOf(30, 31);
    expect(taken.length).toBeGreaterThan(2);
    expect(taken.filter(({ change }) => change !== null)).toEqual([]);
    expect(await west.conflicts()).toEqual([]);
  });

  it('rows that both sides change at once end the same on both', async () => {
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (40, 'both', 1)");
    await arrived();
    await Promise.all([
      east.sql.execute("UPDATE accounts SET display_name = 'east' WHERE id = 40"), west.sql.execute("UPDATE accounts SET display_name = 'west' WHERE id = 40"),
    ]);
    await arrived();
    await arrived();
    expect(await find(west, 40)).toEqual(await find(east, 40));
  });

  it('its heartbeats move the watermark', async () => {
    const [beat] = await east.sql.query<{ hlc: string }>('SELECT _hlc AS hlc FROM _heartbeats WHERE id = ?', [east.origin]);
    await until('a watermark as high', async () => {
      const [mark] = await west.sql.query<{ w: string }>("SELECT watermark_hlc AS w FROM _checkpoints WHERE source = 'east'");
      return BigInt(mark?.w ?? 0) >= BigInt(beat?.hlc ?? 0) && BigInt(beat?.hlc ?? 0) > 0n;
    });
  });

  it('a killed Connect goes on where it was: nothing is lost, nothing doubled', async () => {
    await connect.kill9();
    await east.sql.execute("INSERT INTO accounts (id, display_name, unit) VALUES (50, 'while away', 1)");
    await east.sql.execute("UPDATE accounts SET display_name = 'changed while away' WHERE id = 12");
    await east.sql.execute('DELETE FROM accounts WHERE id = 2');
    await connect.restart();
    await arrived();
    expect(await west.rowsOf('accounts')).toEqual(await east.rowsOf('accounts'));
  });

  it('messages with a schema block and precise decimals mean the same', async () => {
    await connect.put(CONNECTOR, config({
      'value.converter.schemas.enable': true, 'decimal.handling.mode': 'precise', 'bigint.unsigned.handling.mode': 'precise', 'tombstones.on.delete': true,
    }));
    await east.sql.execute(zooRows(21));
    await east.sql.execute('DELETE FROM zoo WHERE id = 1');
    await arrived();
    expect(await west.rowsOf('zoo')).toEqual(await east.rowsOf('zoo'));
    expect(await west.rowsOf('zoo')).toHaveLength(8);
  });

  /** What stands on the east's topic about some accounts, and what a reader makes of it. */
  async function messagesOf(...ids: number[]) {
    const topic = changeTopic('east');
    const [offsets] = await east.kafka.topicOffsets(topic);
    const messages = await east.kafka.readLast(topic, 0, Number((offsets?.high ?? 0n) - (offsets?.low ?? 0n)));
    const about = ids.map((id) => new RegExp(`"(?:id|row_id)":${id}\\b`));
    return messages
      .filter(({ value }) => about.some((pattern) => pattern.test(value.toString())) && !value.includes('_heartbeats'))
      .map(({ value }) => ({ text: value.toString(), change: readDebezium(value, { region: 'east', origin: east.origin, typesOf: () => undefined }) }));
  }
});

async function find(region: Region, id: number): Promise<RawRow | undefined> {
  return (await region.sql.query('SELECT id, display_name, unit, _hlc, _origin FROM accounts WHERE id = ?', [id]))[0];
}
