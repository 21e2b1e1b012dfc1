/**
 * The double-entry ledger: which accounts a payment touches, and by how much.
 * Invariant: the entries of a posting sum to 0 and none of them is 0; a debit is positive, a credit negative. Entries
 * are only ever added: a mistake is put right by a further posting. It reads and writes nothing (store/ledger.ts).
 *
 * The accounts, from Tandem's point of view:
 *   rider_receivable  what a rider owes us (asset: debit grows it). Riders ride on account and settle later; money from
 *                     outside (gateways) will credit it.
 *   driver_payable    what we owe a driver (liability: credit grows it)
 *   commission        what we keep (income), owner PLATFORM
 *   tax               what we owe the state (liability), owner PLATFORM
 *
 * One account is kept per owner, kind, currency and *unit of the payer*: so each ledger row, accounts included, is only
 * ever written in the home region of that unit. A driver carries riders of both regions; one account for all of them
 * would be written by both at once. A balance is the sum over an owner's accounts (64 at most).
 */
import { assert } from '../../../shared/kernel/assert.ts';
import { hash63 } from '../../../shared/kernel/hash.ts';
import type { Breakdown } from './breakdown.ts';

export type LedgerAccountKind = 'rider_receivable' | 'driver_payable' | 'commission' | 'tax';
/** The owner of Tandem's own accounts; no user has this id. */
export const PLATFORM = 0n;

export type LedgerAccount = {
  readonly id: bigint;
  readonly ownerId: bigint;
  readonly kind: LedgerAccountKind;
  readonly currency: string;
  readonly unit: number;
};
export type Entry = { readonly account: LedgerAccount; readonly amountCents: number };
export type Posting = { readonly kind: 'fare' | 'tip'; readonly entries: readonly Entry[] };
/** Who pays whom; `unit` is the payer's. */
export type Parties = { readonly payerId: bigint; readonly driverId: bigint; readonly currency: string; readonly unit: number };

/** A fare: the rider owes all of it; driver, platform and state have their shares of the breakdown. */
export function postFare(parties: Parties, amountCents: number, shares: Pick<Breakdown, 'driverCents' | 'commissionCents' | 'taxCents'>): Posting {
  return posting('fare', [
    { account: accountOf(parties, 'rider_receivable', parties.payerId), amountCents },
    { account: accountOf(parties, 'driver_payable', parties.driverId), amountCents: -shares.driverCents },
    { account: accountOf(parties, 'commission', PLATFORM), amountCents: -shares.commissionCents },
    { account: accountOf(parties, 'tax', PLATFORM), amountCents: -shares.taxCents },
  ]);
}

/** A tip: all of it is the driver's. */
export function postTip(parties: Parties, amountCents: number): Posting {
  return posting('tip', [
    { account: accountOf(parties, 'rider_receivable', parties.payerId), amountCents },
    { account: accountOf(parties, 'driver_payable', parties.driverId), amountCents: -amountCents },
  ]);
}

/** The account's id follows from what it is for: whoever needs it first creates it, nobody has to look it up. */
export function ledgerAccountId(account: Omit<LedgerAccount, 'id'>): bigint {
  return hash63('ledger', account.kind, String(account.ownerId), account.currency, String(account.unit));
}

function accountOf(parties: Parties, kind: LedgerAccountKind, ownerId: bigint): LedgerAccount {
  const account = { ownerId, kind, currency: parties.currency, unit: parties.unit };
  return { ...account, id: ledgerAccountId(account) };
}

function posting(kind: Posting['kind'], entries: readonly Entry[]): Posting {
  const booked = entries.filter((entry) => entry.amountCents !== 0);
  const sum = booked.reduce((total, entry) => total + entry.amountCents, 0);
  assert(sum === 0, `a ${kind} posting is balanced, not off by ${sum} cents`);
  return { kind, entries: booked };
}
