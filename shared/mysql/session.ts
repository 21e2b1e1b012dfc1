/**
 * How this project speaks to a MySQL or MariaDB server: the options of a connection, its session, its value types.
 *
 * Invariant: a column's JavaScript type follows from its SQL type alone, never from its value or from the engine.
 */
import type { ConnectionOptions, TypeCast } from 'mysql2';
import type { MysqlConfig } from './database.ts';

export const CONNECT_DEADLINE_MS = 3000;
/** InnoDB's own default of 50 s outlives every deadline here. */
const LOCK_WAIT_S = 3;

/** Strict on both engines, by name: what the server's own default is does not matter. NO_BACKSLASH_ESCAPES would break the driver's escaping. */
const SQL_MODE = [
  'ERROR_FOR_DIVISION_BY_ZERO', 'NO_ENGINE_SUBSTITUTION', 'NO_ZERO_DATE', 'NO_ZERO_IN_DATE', 'ONLY_FULL_GROUP_BY', 'STRICT_TRANS_TABLES',
].join(',');

export const SESSION_STATEMENTS: readonly string[] = [
  `SET SESSION time_zone = '+00:00', sql_mode = '${SQL_MODE}', innodb_lock_wait_timeout = ${LOCK_WAIT_S}`,
  // The variable behind this has another name on each engine; the statement has one.
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];

/** What every connection of this folder has in common. */
export function connectionOptions(config: MysqlConfig): ConnectionOptions {
  const { host, port, user, password, database } = config;
  return {
    host, port, user, password, database,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    connectTimeout: CONNECT_DEADLINE_MS,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    multipleStatements: false,
    supportBigNumbers: true,
    // MariaDB's JSON columns are text that the driver would parse, MySQL's a type of their own; text is what both can give.
    jsonStrings: true,
    // The stack of the caller is in the TandemError; the driver's own costs an Error object per statement.
    trace: false,
  };
}

/**
 * BIGINT → bigint (COUNT and, on MySQL, integer literals too); DATETIME and TIMESTAMP → Date, read as UTC, to the
 * millisecond; DATE, DECIMAL and JSON → string; the rest as the driver does it: smaller integers and floating point
 * → number, text → string, binary → Buffer.
 */
export const castValue: TypeCast = (field, next) => {
  switch (field.type) {
    case 'LONGLONG': {
      const digits = field.string('ascii');
      return digits === null ? null : BigInt(digits);
    }
    case 'DATETIME':
    case 'TIMESTAMP': {
      const text = field.string('ascii');
      return text === null ? null : new Date(`${text.slice(0, 10)}T${text.slice(11, 23)}Z`);
    }
    case 'DATE':
    case 'NEWDATE':
      return field.string('ascii');
    case 'JSON':
      return field.string('utf8');
    default:
      return next();
  }
};
