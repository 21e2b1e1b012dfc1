/**
 * The database settings without which capture would send wrong or missing changes; it refuses to start on any of them.
 *
 * Invariant: every bad setting is named at once, with its value and the value it must have.
 * Deliberately absent: durability (sync_binlog, innodb_flush_log_at_trx_commit): what a power cut may cost is the
 * operator's choice, so those are only warned of.
 */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../shared/mysql/database.ts';

interface Rule {
  readonly setting: string;
  readonly wanted: string;
  readonly accepts: (value: string) => boolean;
  readonly engines?: 'mysql' | 'mariadb';
}

const is = (setting: string, wanted: string, engines?: Rule['engines']): Rule => ({
  setting, wanted, engines, accepts: (value) => value.toUpperCase() === wanted || (wanted === 'ON' && value === '1') || (wanted === 'OFF' && value === '0'),
});

const REFUSED: readonly Rule[] = [
  is('log_bin', 'ON'),
  is('binlog_format', 'ROW'),
  is('binlog_row_image', 'FULL'),
  is('binlog_row_metadata', 'FULL'),
  is('gtid_mode', 'ON', 'mysql'),
  is('enforce_gtid_consistency', 'ON', 'mysql'),
  is('binlog_transaction_compression', 'OFF', 'mysql'),
  { setting: 'binlog_row_value_options', wanted: '(empty)', engines: 'mysql', accepts: (value) => value === '' },
  { setting: 'server_id', wanted: '1 or more', accepts: (value) => Number(value) >= 1 },
];

const WARNED: readonly Rule[] = [is('sync_binlog', '1'), is('innodb_flush_log_at_trx_commit', '1')];

export interface ServerFacts {
  readonly version: string;
  readonly engine: 'mysql' | 'mariadb';
  readonly serverId: number;
  /** What was looked at, by name. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Throws capture-unsafe-settings; details.settings lists { setting, value, wanted }. Without a log nothing is warned of. */
export async function checkServerSettings(sql: Sql, log: LogSink | null): Promise<ServerFacts> {
  const rows = await sql.query<{ Variable_name: string; Value: string }>(
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${[...REFUSED, ...WARNED].map(() => '?').join(', ')}, 'version')`,
    [...REFUSED, ...WARNED].map((rule) => rule.setting),
  );
  const values = new Map(rows.map((row) => [row.Variable_name.toLowerCase(), String(row.Value)]));
  const version = values.get('version') ?? '';
  const engine = /mariadb/i.test(version) ? 'mariadb' : 'mysql';
  const bad = violations(REFUSED, values, engine);
  if (bad.length > 0) {
    const lines = bad.map(({ setting, value, wanted }) => `${setting} is ${value}, must be ${wanted}`);
    throw new TandemError('capture-unsafe-settings', `the database cannot be captured safely: ${lines.join('; ')}`, {
      details: { settings: bad },
    });
  }
  for (const { setting, value, wanted } of violations(WARNED, values, engine)) {
    log?.warn({ setting, value, wanted }, 'after a power cut the peer may hold changes that this database has lost');
  }
  return { version, engine, serverId: Number(values.get('server_id')), settings: Object.fromEntries(values) };
}

function violations(rules: readonly Rule[], values: ReadonlyMap<string, string>, engine: ServerFacts['engine']) {
  return rules
    .filter((rule) => rule.engines === undefined || rule.engines === engine)
    .map((rule) => ({ setting: rule.setting, wanted: rule.wanted, value: values.get(rule.setting) ?? '(unknown)', rule }))
    .filter(({ rule, value }) => !rule.accepts(value))
    .map(({ setting, wanted, value }) => ({ setting, wanted, value }));
}
