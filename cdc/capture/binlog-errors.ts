/**
 * What a server says when it will not stream its binlog, as the error that tells an operator what to do.
 *
 * Invariant: an error of which nothing is known is db-unavailable, which is tried again; none is taken for a gap without a word of
 * the server that says so. The server's own text stays in the message: it names positions that nobody else knows.
 */
import { TandemError, isTandemError } from '../../shared/kernel/tandem-error.ts';

/** ER_SOURCE_FATAL_ERROR_READING_BINLOG, and MariaDB's for a position ahead of or missing in its binlog. */
const REFUSED = new Set([1236, 1945, 1955]);
/** ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR. */
const DENIED = new Set([1044, 1142, 1227]);

const REASONS: readonly { readonly says: RegExp; readonly code: 'db-unavailable' | 'capture-server-behind' | 'capture-unreadable'; readonly means: string }[] = [
  { says: /same server_u?u?id/i, code: 'db-unavailable', means: 'another reader with the same replica id took over' },
  { says: /more GTIDs than|diverged|errant|rolled back/i, code: 'capture-server-behind', means: 'the server lacks transactions that were captured before' },
  { says: /max_allowed_packet/i, code: 'capture-unreadable', means: 'an event is larger than the server sends' },
];

export function translateBinlogError(error: unknown): TandemError {
  if (isTandemError(error)) return error;
  const { message, errno = 0 } = error as { message: string; errno?: number };
  const details = { errno };
  if (DENIED.has(errno)) {
    const right = /REPLICATION (?:SLAVE|CLIENT)|BINLOG MONITOR/i.exec(message)?.[0] ?? 'REPLICATION SLAVE, REPLICATION CLIENT';
    return new TandemError('capture-privilege-missing', `the binlog cannot be read: ${message}. Run GRANT ${right} ON *.* TO the login of capture`, { cause: error, details });
  }
  if (REFUSED.has(errno)) {
    const reason = REASONS.find(({ says }) => says.test(message));
    if (reason !== undefined) return new TandemError(reason.code, `${reason.means}: ${message}`, { cause: error, details });
    return new TandemError('capture-position-gone', `the server no longer has the binlog to resume from: ${message}`, { cause: error, details });
  }
  if (/PARTIAL_JSON|compression|decode/i.test(message)) return new TandemError('capture-unreadable', message, { cause: error, details });
  return new TandemError('db-unavailable', `binlog stream: ${message}`, { cause: error, details });
}
