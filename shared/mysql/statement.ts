/**
 * Sends one statement over one connection, with a deadline.
 *
 * Invariant: when it throws an error that is fatal to the connection, the connection has been destroyed, so that no
 * caller can meet a late answer or a read-only server again. It never retries.
 */
import type { Connection, ResultSetHeader } from 'mysql2';
import { assert } from '../kernel/assert.ts';
import { withDeadline } from '../kernel/deadline.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import { checkParameters } from './parameters.ts';
import { isFatalToConnection, translateDriverError } from './driver-errors.ts';

/** ER_NET_PACKET_TOO_LARGE. */
const PACKET_TOO_LARGE = 1153;
/** Of one UTF-16 code unit. */
const UTF8_BYTES_MAX = 3;

export interface StatementLimits {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/** The rows of a SELECT (or SHOW); asserts that the statement gave rows. */
export async function queryRows<Row>(connection: Connection, sql: string, params: readonly unknown[], limits: StatementLimits): Promise<Row[]> {
  const result = await sendStatement(connection, sql, params, limits);
  assert(Array.isArray(result), `query() is for statements that give rows, use execute() for: ${sql.slice(0, 120)}`);
  return result as Row[];
}

/**
 * affectedRows counts the rows an UPDATE matched, whether or not a value changed (the driver asks for FOUND_ROWS), so
 * that a compare-and-set reads the same on a row that already holds the new values.
 */
export async function executeStatement(
  connection: Connection, sql: string, params: readonly unknown[], limits: StatementLimits,
): Promise<{ affectedRows: number }> {
  const result = await sendStatement(connection, sql, params, limits);
  assert(!Array.isArray(result), `execute() is for statements that give no rows, use query() for: ${sql.slice(0, 120)}`);
  return { affectedRows: (result as ResultSetHeader).affectedRows };
}

/** What one statement of a script said: a SELECT its rows, any other how many rows it met. */
export interface StatementResult { readonly rows: readonly Record<string, unknown>[]; readonly affectedRows: number }

/**
 * Several finished statements in one packet, one answer each. Where one fails, the server runs none behind it.
 * Throws db-failed (errno 1153) for a packet that the server would answer by closing the connection.
 */
export async function sendScript(
  connection: Connection, statements: readonly string[], { bytesMax, ...limits }: StatementLimits & { readonly bytesMax: number },
): Promise<StatementResult[]> {
  assert(statements.length > 0, 'a script has a statement');
  const sql = statements.join(';\n');
  if (sql.length * UTF8_BYTES_MAX >= bytesMax && Buffer.byteLength(sql) >= bytesMax) {
    throw new TandemError('db-failed', `a statement of ${Buffer.byteLength(sql)} bytes is more than the server's max_allowed_packet of ${bytesMax}`, {
      details: { errno: PACKET_TOO_LARGE, bytes: Buffer.byteLength(sql), bytesMax },
    });
  }
  const result = await answered(connection, sql, [], limits);
  const results = (statements.length === 1 ? [result] : result) as readonly (ResultSetHeader | Record<string, unknown>[])[];
  assert(results.length === statements.length, `${statements.length} statements gave ${results.length} answers`);
  return results.map((each) => (Array.isArray(each) ? { rows: each, affectedRows: 0 } : { rows: [], affectedRows: each.affectedRows }));
}

async function sendStatement(connection: Connection, sql: string, params: readonly unknown[], limits: StatementLimits): Promise<unknown> {
  checkParameters(sql, params);
  return await answered(connection, sql, params, limits);
}

async function answered(connection: Connection, sql: string, params: readonly unknown[], limits: StatementLimits): Promise<unknown> {
  const what = `mysql ${summary(sql)}`;
  try {
    return await withDeadline(what, limits.deadlineMs, () => answerOf(connection, sql, params), limits.signal);
  } catch (e) {
    const error = limits.signal?.aborted === true ? (limits.signal.reason as unknown) : translateDriverError(e, what);
    if (limits.signal?.aborted === true || isFatalToConnection(error)) connection.destroy();
    throw error;
  }
}

function answerOf(connection: Connection, sql: string, params: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // Null: without values the driver must not look for placeholders, also not in the text of literals.
    connection.query({ sql, values: params.length === 0 ? null : [...params] }, (error, result) => {
      if (error === null) resolve(result);
      else reject(error);
    });
  });
}

/** The first words, in one line, without the values in them: enough to find the statement, and nobody's data. */
function summary(sql: string): string {
  return sql.slice(0, 200).replaceAll(/'(?:[^'\\]|\\.|'')*(?:'|$)/g, "'…'").replaceAll(/\s+/g, ' ').trim().slice(0, 60);
}
