/**
 * Who made replication do what, and why: one row of _audit for each action.
 *
 * Invariant: rows are only ever added. Where an action changes the database, its row stands in the same transaction;
 * where it does not, the row comes first: an action may be on record that failed, never the other way about. Pauses are read back from
 * here (pause.ts): do not remove rows younger than the last resume.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { AUDIT_TABLE } from '../../shared/schema/tables.ts';

export interface AuditEntry {
  /** Who, by the name in their token: "ada". */
  readonly actor: string;
  /** What, part first: "apply.pause", "dead-letter.skip", "conflict.replay". */
  readonly action: string;
  /** To what: a region, the id of a dead letter, a row as "rides:42". */
  readonly subject: string;
  readonly reason: string;
  /** What a reader will want to know later; no personal data. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** VARCHAR(255); counted in characters by the database. */
export const REASON_CHARS_MAX = 255;

/** `sql`: a Database, the transaction of one, or a RawConnection: a session that may insert into _audit. */
export async function writeAudit(
  sql: { execute(sql: string, params?: readonly unknown[]): Promise<unknown> }, { actor, action, subject, reason, details }: AuditEntry,
): Promise<void> {
  await sql.execute(
    `INSERT INTO ${AUDIT_TABLE} (actor, action, subject, reason, details) VALUES (?, ?, ?, ?, ?)`,
    [actor, action, subject, checkReason(reason), details === undefined ? null : JSON.stringify(details)],
  );
}

/** The reason without the blanks around it. Throws validation-failed where nothing is left, or too much. */
export function checkReason(reason: string): string {
  const text = reason.trim();
  if (text !== '' && text.length <= REASON_CHARS_MAX) return text;
  throw new TandemError('validation-failed', `reason: say in 1 to ${REASON_CHARS_MAX} characters why`, {
    details: { errors: [{ field: 'reason', message: `must be 1 to ${REASON_CHARS_MAX} characters` }] },
  });
}
