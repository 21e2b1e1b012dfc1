/**
 * Turns what mysql2 throws into TandemErrors with the driver's error as cause.
 *
 * Invariant: details.errno and details.sqlState are those of the server, where it was the server that spoke.
 * It decides nothing about connections; isFatalToConnection says which errors must not let one go back to the pool.
 */
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';

/** ER_LOCK_DEADLOCK, ER_LOCK_WAIT_TIMEOUT: the transaction may be run again from its start. */
const DEADLOCK = 1213;
const CONTENDED = new Set([DEADLOCK, 1205]);

/** ER_OPTION_PREVENTS_STATEMENT (--read-only), ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE. */
const READ_ONLY = new Set([1290, 1792, 1836]);

/** ER_DUP_ENTRY, ER_DUP_ENTRY_WITH_KEY_NAME. */
const DUPLICATE = new Set([1062, 1586]);

/** Too many connections, shutdown under way, aborted or killed connections (1927 is MariaDB's), query interrupted by shutdown. */
const UNAVAILABLE = new Set([1040, 1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1927, 3032, 4031]);

interface DriverError extends Error {
  readonly errno?: number;
  readonly code?: string;
  readonly sqlState?: string;
  readonly fatal?: boolean;
}

/** `what` names the statement in the message. A TandemError passes unchanged. */
export function translateDriverError(e: unknown, what: string): TandemError {
  if (isTandemError(e)) return e;
  const { message, errno, code, sqlState, fatal } = asDriverError(e);
  // errno of a socket error is the negative number of the system call; the server's are positive.
  const serverErrno = errno !== undefined && errno > 0 ? errno : undefined;
  const details = { errno: serverErrno ?? code, ...(sqlState === undefined ? {} : { sqlState }) };
  const options = { cause: e, details };
  if (serverErrno !== undefined && DUPLICATE.has(serverErrno)) {
    return new TandemError('db-duplicate', `${what}: a row with this key exists`, { cause: e, details: { ...details, key: duplicateKey(message) } });
  }
  if (serverErrno !== undefined && READ_ONLY.has(serverErrno)) {
    return new TandemError('db-read-only', `${what}: the database takes no writes`, options);
  }
  if (serverErrno !== undefined && CONTENDED.has(serverErrno)) {
    return new TandemError('db-unavailable', `${what}: lost a fight over locks`, { cause: e, details: { ...details, contended: true } });
  }
  if (serverErrno === undefined || UNAVAILABLE.has(serverErrno) || fatal === true) {
    return new TandemError('db-unavailable', `${what}: ${message}`, options);
  }
  return new TandemError('db-failed', `${what}: ${message}`, options);
}

/** True for a deadlock or lock wait: what ran in the transaction may run again. */
export function isContended(e: unknown): boolean {
  return isTandemError(e, 'db-unavailable') && e.details.contended === true;
}

/** True where the server has already rolled the whole transaction back, so that later statements would stand alone. */
export function endsTransaction(e: unknown): boolean {
  return isTandemError(e, 'db-unavailable') && (e.details.errno === DEADLOCK || e.details.contended !== true);
}

/** True where the connection must be destroyed: it is broken, its answer is still to come, or its server takes no writes. */
export function isFatalToConnection(e: unknown): boolean {
  if (isTandemError(e, 'db-unavailable')) return e.details.contended !== true;
  return isTandemError(e, 'db-read-only') || isTandemError(e, 'deadline-exceeded');
}

/** MySQL says 'table.key', MariaDB 'key'; the value before it may hold quotes, hence the last match. */
function duplicateKey(message: string): string | undefined {
  return /for key '(?:[^'.]*\.)?([^'.]+)'$/.exec(message)?.[1];
}

function asDriverError(e: unknown): DriverError {
  return e instanceof Error ? e : new Error(String(e));
}
