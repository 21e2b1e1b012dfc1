/** The connector of a house that keeps Debezium in capture's place: the settings of docs/debezium.md. */
import type { ConnectorConfig } from '../../harness/kafka-connect.ts';
import type { TestMysql } from '../../harness/mysql.ts';

export interface ConnectorOptions {
  readonly mysql: TestMysql;
  readonly broker: string;
  readonly region: string;
  readonly origin: number;
  readonly tables: readonly string[];
}

const TANDEM_TABLES = ['_tombstones', '_heartbeats'];

export function connectorConfig({ mysql, broker, region, origin, tables }: ConnectorOptions): ConnectorConfig {
  const login = mysql.users['tandem_capture'];
  if (login === undefined) throw new Error('the server was started without users');
  const prefix = `debezium-${region}`;
  return {
    ...(mysql.engine === 'mariadb'
      ? { 'connector.class': 'io.debezium.connector.mariadb.MariaDbConnector' }
      : { 'connector.class': 'io.debezium.connector.mysql.MySqlConnector', 'driver.allowPublicKeyRetrieval': true }),
    'tasks.max': 1,
    'database.hostname': login.host,
    'database.port': login.port,
    'database.user': login.user,
    'database.password': login.password,
    'database.server.id': 5_400 + origin,
    'database.include.list': login.database,
    'table.include.list': [...tables, ...TANDEM_TABLES].map((table) => `${login.database}.${table}`).join(','),
    'topic.prefix': prefix,
    'transforms': 'route',
    'transforms.route.type': 'org.apache.kafka.connect.transforms.RegexRouter',
    'transforms.route.regex': `${prefix}\\.${login.database}\\..*`,
    'transforms.route.replacement': `tandem.${region}.changes`,
    'snapshot.mode': 'initial',
    'snapshot.locking.mode': 'none',
    'include.schema.changes': false,
    'tombstones.on.delete': false,
    'decimal.handling.mode': 'string',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': false,
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schemas.enable': false,
    'poll.interval.ms': 10,
    'heartbeat.interval.ms': 200,
    'heartbeat.action.query':
      `INSERT INTO ${login.database}._heartbeats (id, unit, beat, at) VALUES (${origin}, 0, 1, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE beat = beat + 1, at = UTC_TIMESTAMP(6)`,
    'schema.history.internal.kafka.bootstrap.servers': broker,
    'schema.history.internal.kafka.topic': `${prefix}.history`,
    'topic.creation.default.partitions': 1,
    'topic.creation.default.replication.factor': 1,
  };
}
