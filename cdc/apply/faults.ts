/**
 * Whose fault a failed write is: the change's own, or of something that time, a person or another try heals.
 *
 * Invariant: only an error that the data itself causes counts against a change. Deadlocks, lock waits, lost connections, servers
 * that take no writes, a full disk, missing rights and a schema that is behind never do, however often they come.
 */
import { isTandemError } from '../../shared/kernel/tandem-error.ts';

/** Data exceptions (22), broken constraints (23), and what a trigger refuses by SIGNAL (45). */
const DATA_STATES = /^(?:22|23|45)/;
/**
 * Of general or no state: truncated data, a wrong value for a column, invalid text, a row or statement that is too
 * large, an invalid JSON, a broken CHECK, a value for a generated column.
 */
const DATA_ERRNOS = new Set([1048, 1118, 1153, 1264, 1265, 1292, 1300, 1366, 1367, 1406, 1411, 1416, 1441, 1644, 1690, 1906, 3105, 3140, 3141, 3143, 3144, 3819, 4025]);
/** Unknown column, unknown table, wrong number of columns, a column without a default that nobody named. */
const SCHEMA_ERRNOS = new Set([1054, 1136, 1146, 1364]);

/** What the data of a change caused. A duplicate key is a collision, which has a rule of its own. */
export function isDataFault(error: unknown): boolean {
  if (isTandemError(error, 'change-malformed') || isTandemError(error, 'validation-failed')) return true;
  // Thrown by this process while it built a statement from the change: a fault all the same, and it would come again.
  if (!isTandemError(error)) return error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
  if (error.code !== 'db-failed') return false;
  const { errno, sqlState } = error.details;
  return DATA_ERRNOS.has(Number(errno)) || (typeof sqlState === 'string' && DATA_STATES.test(sqlState));
}

/** The source took the NULL, so its column allows it and ours not yet; a fingerprint of names and types does not tell that. */
export function isNullRefused(error: unknown): boolean {
  return isTandemError(error, 'db-failed') && Number(error.details['errno']) === 1048;
}

/** The table was altered after it was looked at: look again. */
export function isSchemaFault(error: unknown): boolean {
  return isTandemError(error, 'db-failed') && SCHEMA_ERRNOS.has(Number(error.details['errno']));
}

/** A deadlock or lock wait; or a duplicate primary key: a local insert that came between our look and our insert. */
export function isContention(error: unknown): boolean {
  if (isTandemError(error, 'db-duplicate')) return collidingKey(error) === undefined;
  return isTandemError(error, 'db-unavailable') && error.details['contended'] === true;
}

/** The name of the secondary key that a write collided on; undefined for other errors and for the primary key. */
export function collidingKey(error: unknown): string | undefined {
  if (!isTandemError(error, 'db-duplicate')) return undefined;
  const { key } = error.details;
  return typeof key === 'string' && key !== 'PRIMARY' ? key : undefined;
}

/** The column that a server's message names; null where it names none. */
export function columnNamed(error: unknown): string | null {
  const text = error instanceof Error ? error.message : '';
  return /column [`']?(?:[^`'\s]*[`']?\.[`']?)*([^`'.\s]+)[`']? at row/i.exec(text)?.[1] ?? /(?:Column|Field) '([^']+)'/.exec(text)?.[1] ?? null;
}

/** For people: the code, then what the server said. */
export function causeOf(error: unknown): { readonly code: string; readonly cause: string } {
  if (isTandemError(error)) return { code: error.code, cause: error.message };
  return { code: 'internal', cause: String(error) };
}
