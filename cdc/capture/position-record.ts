/**
 * A record in each partition of the topic that says from where the binlog is read on: how a capture begins, and how a reset takes
 * effect.
 *
 * Invariant: it is the region's heartbeat row, sent as a snapshot's row (op 'r'), so that a reader needs no case for it: apply has
 * that row already, or takes it. What matters is its `position`: the next session starts there, and what is before it in the
 * topic counts no longer. It stands in the topic and nowhere else, so a kill -9 at any moment leaves either the old tail
 * or the record. HAZARD: killed between two partitions, some have it and some do not; nothing is lost by that (the session starts at
 * the earlier position of both), but a reset that did not answer is to be repeated.
 */
import type { KafkaClient } from '../../shared/kafka/kafka.ts';
import { assert } from '../../shared/kernel/assert.ts';
import type { Sql, MysqlConfig } from '../../shared/mysql/database.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import { HEARTBEAT_TABLE } from '../../shared/schema/tables.ts';
import { encodeChange } from '../change/codec.ts';
import { changeKey, changeTopic } from '../change/envelope.ts';
import type { Change } from '../change/envelope.ts';
import { versionOf } from '../change/image.ts';
import { beat } from './heartbeat.ts';
import type { Pulse } from './heartbeat.ts';
import type { ServerFacts } from './server-settings.ts';
import { readRows } from './snapshot/row-reader.ts';

export interface PositionRecordOptions {
  readonly kafka: KafkaClient;
  readonly pulse: Pulse;
  readonly mysql: MysqlConfig;
  readonly database: Sql;
  readonly facts: ServerFacts;
  /** A GTID position; '' for the beginning of the oldest binlog. */
  readonly position: string;
}

/** Resolves once every partition has it. Nothing else may be sending to the topic. Throws db-*, kafka-*. */
export async function writePositionRecord(options: PositionRecordOptions): Promise<void> {
  const { kafka, pulse: { region, partitions } } = options;
  const change = await recordOf(options);
  const producer = await kafka.producer();
  try {
    const message = { key: changeKey(change), value: encodeChange(change) };
    await producer.send(Array.from({ length: partitions }, (_, partition) => ({ topic: changeTopic(region), partition, messages: [message] })));
  } finally {
    await producer.close();
  }
}

async function recordOf({ pulse, mysql, database, facts, position }: PositionRecordOptions): Promise<Change> {
  const { region, origin } = pulse;
  // The first beat makes the row; a database that takes no writes may have it already.
  const beaten = beat(database, pulse);
  const connection = await openRawConnection(mysql, { role: 'capture-position' });
  try {
    const failure = await beaten.then(() => undefined, (error: unknown) => error);
    const { rows: [after], fingerprint } = await readRows(connection, HEARTBEAT_TABLE, 'id = ?', [origin]);
    if (after === undefined && failure !== undefined) throw failure;
    assert(after !== undefined, 'a heartbeat that was written is there');
    return {
      op: 'r', table: HEARTBEAT_TABLE, id: String(origin), unit: 0, version: versionOf(HEARTBEAT_TABLE, after), base: null, before: null, after, tsMs: Date.now(),
      source: { region, database: mysql.database, serverId: facts.serverId, gtid: '', file: '', pos: 0, row: 0, schema: fingerprint },
      transaction: { id: '', order: 0, tableOrder: 0 }, last: true, position,
    };
  } finally {
    await connection.close();
  }
}
