/**
 * Writes postings into the ledger tables.
 * Invariant: inserts only; a posting's transaction and all its entries are written in the caller's transaction, or none.
 * Accounts are created when first used; their ids follow from what they are (domain/ledger.ts).
 */
import { assert } from '../../../shared/kernel/assert.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../../shared/mysql/database.ts';
import type { LedgerAccount, Posting } from '../domain/ledger.ts';

/** What hands out ids; structurally LeasedIds. */
export type IdSource = { next(): bigint };

/** Books a payment's posting. Throws db-duplicate where the payment is booked already. `unit` is the payer's. */
export async function bookPosting(
  tx: Sql,
  ids: IdSource,
  booking: { readonly paymentId: bigint; readonly rideId: bigint; readonly unit: number; readonly currency: string; readonly posting: Posting },
): Promise<void> {
  const { paymentId, rideId, unit, currency, posting } = booking;
  await provisionAccounts(tx, posting.entries.map((entry) => entry.account));
  const transactionId = ids.next();
  await tx.execute('INSERT INTO ledger_transactions (id, payment_id, ride_id, kind, unit) VALUES (?, ?, ?, ?, ?)', [
    transactionId, paymentId, rideId, posting.kind, unit,
  ]);
  if (posting.entries.length === 0) return;
  await tx.execute('INSERT INTO ledger_entries (id, transaction_id, account_id, amount_cents, currency, unit) VALUES ?', [
    posting.entries.map((entry) => [ids.next(), transactionId, entry.account.id, entry.amountCents, currency, unit]),
  ]);
}

async function provisionAccounts(tx: Sql, accounts: readonly LedgerAccount[]): Promise<void> {
  if (accounts.length === 0) return;
  const rows = await tx.query<{ id: bigint }>('SELECT id FROM ledger_accounts WHERE id IN (?)', [accounts.map((account) => account.id)]);
  const standing = new Set(rows.map((row) => row.id));
  for (const account of accounts) {
    if (!standing.has(account.id)) await insertAccount(tx, account);
  }
}

async function insertAccount(tx: Sql, account: LedgerAccount): Promise<void> {
  try {
    await tx.execute('INSERT INTO ledger_accounts (id, owner_id, kind, currency, unit) VALUES (?, ?, ?, ?, ?)', [
      account.id, account.ownerId, account.kind, account.currency, account.unit,
    ]);
  } catch (e) {
    if (!isTandemError(e, 'db-duplicate')) throw e;
    // Another charge created it meanwhile; READ COMMITTED shows it now. Any other row in its place is a fault.
    const rows = await tx.query('SELECT 1 FROM ledger_accounts WHERE id = ?', [account.id]);
    assert(rows.length === 1, `ledger account ${account.kind} of owner ${account.ownerId} has the id that follows from it`);
  }
}
