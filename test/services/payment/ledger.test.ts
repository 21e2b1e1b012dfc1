/** The books balance, whatever is charged. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBreakdown } from '../../../services/payment/domain/breakdown.ts';
import { PLATFORM, ledgerAccountId, postFare, postTip } from '../../../services/payment/domain/ledger.ts';
import type { Entry, Parties } from '../../../services/payment/domain/ledger.ts';

const parties: fc.Arbitrary<Parties> = fc.record({
  payerId: fc.bigInt({ min: 1n, max: 5n }), driverId: fc.bigInt({ min: 1n, max: 5n }), currency: fc.constantFrom('USD', 'EUR'), unit: fc.nat(63),
});
const cents = fc.nat(100_000);
const charges = fc.oneof(
  fc.record({ kind: fc.constant('fare' as const), parties, driverCents: cents, commissionCents: cents, taxCents: cents }),
  fc.record({ kind: fc.constant('tip' as const), parties, amountCents: cents }),
);

const sum = (entries: readonly Entry[]): number => entries.reduce((total, entry) => total + entry.amountCents, 0);

describe('the ledger', () => {
  test('balances after every posting and over all of them, and owes each driver exactly their shares and tips', () => {
    fc.assert(fc.property(fc.array(charges, { maxLength: 50 }), (all) => {
      const owedByDriver = new Map<bigint, number>();
      const entries: Entry[] = [];
      for (const charge of all) {
        const share = charge.kind === 'fare' ? charge.driverCents : charge.amountCents;
        const posting = charge.kind === 'fare'
          ? postFare(charge.parties, charge.driverCents + charge.commissionCents + charge.taxCents, charge)
          : postTip(charge.parties, charge.amountCents);
        expect(sum(posting.entries)).toBe(0);
        expect(posting.entries.every((entry) => entry.amountCents !== 0)).toBe(true);
        expect(posting.entries.every((entry) => entry.account.unit === charge.parties.unit)).toBe(true);
        entries.push(...posting.entries);
        owedByDriver.set(charge.parties.driverId, (owedByDriver.get(charge.parties.driverId) ?? 0) + share);
      }
      expect(sum(entries)).toBe(0);
      for (const [driverId, owedCents] of owedByDriver) {
        const credit = sum(entries.filter((entry) => entry.account.kind === 'driver_payable' && entry.account.ownerId === driverId));
        expect(credit + owedCents).toBe(0);
      }
    }));
  });

  test('a posting that does not balance is a programmer’s error', () => {
    const some = { payerId: 1n, driverId: 2n, currency: 'USD', unit: 3 };
    expect(() => postFare(some, 100, { driverCents: 80, commissionCents: 10, taxCents: 9 })).toThrow('balanced');
  });

  test('account ids follow from what they are for, and differ between units', () => {
    const account = { kind: 'commission', ownerId: PLATFORM, currency: 'USD', unit: 7 } as const;
    expect(ledgerAccountId(account)).toBe(ledgerAccountId({ ...account }));
    expect(ledgerAccountId(account)).not.toBe(ledgerAccountId({ ...account, unit: 8 }));
    expect(ledgerAccountId(account)).not.toBe(ledgerAccountId({ ...account, kind: 'tax' }));
  });
});

describe('a breakdown', () => {
  const good = { lines: [{ kind: 'base', label: 'Base fare', cents: 1_000 }], driverCents: 700, commissionCents: 200, taxCents: 100, fareCardVersion: 1 };

  test('is taken as text or parsed', () => {
    expect(parseBreakdown(JSON.stringify(good), 1_000)).toEqual(good);
    expect(parseBreakdown(good, 1_000)).toEqual(good);
  });

  test.each([
    ['a fare that is not the sum of its lines', { ...good, lines: [] }],
    ['shares that do not sum to it', { ...good, taxCents: 99 }],
    ['a negative share', { ...good, driverCents: 1_000, commissionCents: -100 }],
    ['a fraction of a cent', { ...good, lines: [{ kind: 'base', label: '', cents: 999.5 }, { kind: 'x', label: '', cents: 0.5 }] }],
    ['no breakdown', null],
    ['text that is not JSON', '{'],
  ])('is refused with %s', (_, breakdown) => {
    expect(() => parseBreakdown(breakdown, 1_000)).toThrow(/breakdown/);
  });
});
