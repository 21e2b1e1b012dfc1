/**
 * Debezium: its source connector and its JDBC sink on one Kafka Connect worker, tuned for throughput and low lag.
 *
 * Set up as fairly as we know how: a topic and a task a table, batches of 2,000, upserts by primary key with the reduction buffer, bulk
 * statements in the driver, polls every 10 ms instead of 500, and no version triggers in the target, which would cost this contender alone.
 * Values travel as JSON with schemas: the sink needs schemas, and the binary converters want a registry.
 */
import { startMysql } from '../../harness/mysql.ts';
import { startKafkaConnect } from '../../harness/kafka-connect.ts';
import type { ConnectorConfig } from '../../harness/kafka-connect.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import type { Contender, Source } from './contender.ts';
import { LOADED_TABLES } from './load.ts';
import { BUFFER_POOL_MIB, TARGET_ORIGIN, openSql } from './servers.ts';

const PREFIX = 'dbz';
const BATCH_ROWS = 2_000;
const HEAP_MIB = 1_024;

export async function attachDebezium({ mysql: source, broker, kafkaPid }: Source): Promise<Contender> {
  const target = await startMysql({ engine: source.engine, origin: TARGET_ORIGIN, schema: true, bufferPoolMib: BUFFER_POOL_MIB });
  await dropTriggers(target);
  const connect = await startKafkaConnect({ broker, heapMib: HEAP_MIB });
  // The first start notes the source's schema and position of now.
  await connect.put('source', sourceConfig(source, broker));
  await connect.put('sink', sinkConfig(target));
  await connect.untilPositioned('source');
  for (const name of ['source', 'sink']) await connect.stopConnector(name);
  return {
    name: 'debezium',
    target,
    settings: `JSON with schemas, poll 10 ms, batches of ${BATCH_ROWS}, sink: upsert by record_key, ${LOADED_TABLES.length} tasks, reduction buffer, rewritten batches; no triggers in the target; heap ${HEAP_MIB} MiB`,
    measured: ['connect'],
    start: async () => {
      await connect.resumeConnector('sink');
      await connect.resumeConnector('source');
    },
    stop: async () => {
      for (const name of ['source', 'sink']) {
        const trouble = await connect.troubleOf(name);
        if (trouble !== null) throw new Error(`Debezium's ${name} failed: ${trouble.slice(0, 2_000)}`);
        await connect.stopConnector(name);
      }
    },
    pids: () => ({ source: source.pid, target: target.pid, kafka: kafkaPid, connect: connect.pid }),
    [Symbol.asyncDispose]: async () => {
      await connect.stop();
      await target.stop();
    },
  };
}

function sourceConfig(source: TestMysql, broker: string): ConnectorConfig {
  return {
    'connector.class': source.engine === 'mariadb' ? 'io.debezium.connector.mariadb.MariaDbConnector' : 'io.debezium.connector.mysql.MySqlConnector',
    'tasks.max': 1,
    'database.hostname': source.host,
    'database.port': source.port,
    'database.user': source.user,
    'database.password': source.password,
    'database.server.id': 5_400,
    'topic.prefix': PREFIX,
    'database.include.list': source.database,
    'table.include.list': LOADED_TABLES.map((table) => `${source.database}.${table}`).join(','),
    'schema.history.internal.kafka.bootstrap.servers': broker,
    'schema.history.internal.kafka.topic': 'dbz.history',
    'snapshot.mode': 'no_data',
    'poll.interval.ms': 10,
    // Without a change there would be no position to note.
    'heartbeat.interval.ms': 1_000,
    'max.batch.size': BATCH_ROWS,
    'max.queue.size': BATCH_ROWS * 8,
    'topic.creation.default.partitions': 1,
    'topic.creation.default.replication.factor': 1,
    'producer.override.linger.ms': 0,
    'producer.override.batch.size': 1024 * 1024,
  };
}

function sinkConfig(target: TestMysql): ConnectorConfig {
  return {
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': LOADED_TABLES.length,
    'topics': LOADED_TABLES.map((table) => `${PREFIX}.${target.database}.${table}`).join(','),
    'connection.url': target.engine === 'mariadb'
      ? `jdbc:mariadb://${target.host}:${target.port}/${target.database}?useBulkStmts=true&rewriteBatchedStatements=true`
      : `jdbc:mysql://${target.host}:${target.port}/${target.database}?rewriteBatchedStatements=true&allowPublicKeyRetrieval=true&useSSL=false`,
    'connection.username': target.user,
    'connection.password': target.password,
    'insert.mode': 'upsert',
    'primary.key.mode': 'record_key',
    'delete.enabled': true,
    'schema.evolution': 'none',
    'collection.name.format': '${source.table}',
    'batch.size': BATCH_ROWS,
    'use.reduction.buffer': true,
    'consumer.override.max.poll.records': BATCH_ROWS,
    'consumer.override.fetch.max.wait.ms': 10,
  };
}

async function dropTriggers(target: TestMysql): Promise<void> {
  const sql = await openSql(target.config);
  const triggers = await sql.query<{ name: string }>('SELECT TRIGGER_NAME AS name FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()');
  for (const { name } of triggers) await sql.execute(`DROP TRIGGER ${name}`);
  await sql.close();
}
