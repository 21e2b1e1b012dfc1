/**
 * Removes idempotency keys that nobody retries any more, those of dispatch's requests too: one table, one sweeper.
 *
 * Invariant: a key that some run still holds stays, however old. It does not decide which units are at home here.
 */
import type { Database } from '../../../shared/mysql/database.ts';

/**
 * Deletes at most `limit` keys of `units` that were first used before `before` (the oldest first) and that nobody holds
 * at `now`; returns how many. In one transaction, so that the peer receives them as one.
 */
export async function deleteOldKeys(
  db: Database,
  { units, before, now, limit, clock }: { readonly units: readonly number[]; readonly before: Date; readonly now: Date; readonly limit: number; readonly clock: { now(): bigint } },
): Promise<number> {
  if (units.length === 0) return 0;
  const found = await db.query<{ id: bigint }>(
    'SELECT id FROM idempotency_keys WHERE created_at < ? AND locked_until < ? AND unit IN (?) ORDER BY created_at LIMIT ?', [before, now, units, limit],
  );
  if (found.length === 0) return 0;
  const ids = found.map(({ id }) => id);
  // Asked again under the lock: a run may have taken one over in between.
  const { affectedRows } = await db.transaction(
    (tx) => tx.execute('DELETE FROM idempotency_keys WHERE id IN (?) AND created_at < ? AND locked_until < ?', [ids, before, now]), { clock },
  );
  return affectedRows;
}
