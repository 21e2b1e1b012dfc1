/** Each checker finds the fault it is for, names the row, and is content with a healthy region. */
import { describe, expect, test } from 'vitest';
import { checkRegion, promisesKept } from '../../chaos/checkers/invariants.ts';
import type { Snapshot } from '../../chaos/checkers/snapshot.ts';

const RIDE = {
  id: 1n,
  riderId: 10n,
  driverId: 20n,
  routeId: 30n,
  status: 'completed',
  seats: 1,
  fareCents: 900,
  boardedAtMs: 1_000,
  completedAtMs: 2_000,
  latestPickupAtMs: 1_500,
  latestArrivalAtMs: 2_500,
};

const HEALTHY: Snapshot = {
  region: 'east',
  rides: [RIDE],
  routes: [{ id: 30n, driverId: 20n, seats: 2 }],
  offers: [
    { id: 40n, rideId: 1n, driverId: 20n, status: 'accepted' },
    { id: 41n, rideId: 1n, driverId: 21n, status: 'declined' },
  ],
  fares: [{ rideId: 1n, amountCents: 900 }],
  payments: [{ id: 50n, rideId: 1n, kind: 'fare', status: 'committed', amountCents: 900 }],
  ledgerTransactions: [{ id: 60n, paymentId: 50n }],
  ledgerEntries: [
    { transactionId: 60n, amountCents: 900n, currency: 'USD' },
    { transactionId: 60n, amountCents: -700n, currency: 'USD' },
    { transactionId: 60n, amountCents: -200n, currency: 'USD' },
  ],
  ids: [
    { table: 'rides', id: 1n },
    { table: 'offers', id: 40n },
  ],
  insertConflicts: [],
};
const ACKNOWLEDGED = [{ rideId: 1n, end: 'completed', chargedCents: 900 }];

const claimsOf = (change: Partial<Snapshot>, acknowledged: Parameters<typeof checkRegion>[1] = ACKNOWLEDGED) =>
  checkRegion({ ...HEALTHY, ...change }, acknowledged).map((violation) => `${violation.claim}: ${violation.what}`);

test('a healthy region has no violation', () => {
  expect(claimsOf({})).toEqual([]);
});

describe('a fault is found and named', () => {
  test.each([
    ['a lost ride', claimsOf({ rides: [], fares: [], payments: [], offers: [] }), 'ride 1 was acknowledged and is not there'],
    ['a ride that went back', claimsOf({}, [{ rideId: 1n, end: 'cancelled' }]), 'ride 1 was told to be cancelled and is completed'],
    ['a receipt that lied', claimsOf({}, [{ rideId: 1n, end: 'completed', chargedCents: 1 }]), 'the receipt said 1 cents'],
    ['two drivers', claimsOf({ offers: [...HEALTHY.offers, { id: 42n, rideId: 1n, driverId: 22n, status: 'accepted' }] }), 'ride 1 has 2 accepted offers'],
    ['a driver nobody chose', claimsOf({ offers: [] }), 'without an accepted offer'],
    ['a second charge', claimsOf({ payments: [...HEALTHY.payments, { ...HEALTHY.payments[0]!, id: 51n }] }), 'ride 1 has 2 charges'],
    ['no charge', claimsOf({ payments: [] }, []), 'ride 1 has 0 charges'],
    ['a charge of another amount', claimsOf({ fares: [{ rideId: 1n, amountCents: 901 }] }), 'is due 901 cents and was charged 900'],
    ['a charge without a ride', claimsOf({ rides: [], offers: [] }, []), 'ride 1 was charged and is not completed'],
    ['an unbalanced booking', claimsOf({ ledgerEntries: HEALTHY.ledgerEntries.slice(1) }), 'off by -900 cents'],
    ['a payment nobody booked', claimsOf({ ledgerTransactions: [] }), 'payment 50 has 0 bookings'],
    ['a booking without entries', claimsOf({ ledgerEntries: [] }), 'transaction 60 has no entries'],
    ['an id in two tables', claimsOf({ ids: [...HEALTHY.ids, { table: 'quotes', id: 40n }] }), 'id 40 stands in offers and in quotes'],
    ['an id in two regions', claimsOf({ insertConflicts: [{ table: 'rides', id: 1n }] }), 'rides 1 was inserted in both regions'],
  ])('%s', (_name, found, expected) => {
    expect(found.some((line) => line.includes(expected)), found.join('\n')).toBe(true);
  });
});

describe('seats', () => {
  const three = [
    { ...RIDE, id: 1n, boardedAtMs: 0, completedAtMs: 30 },
    { ...RIDE, id: 2n, boardedAtMs: 10, completedAtMs: 20 },
    { ...RIDE, id: 3n, boardedAtMs: 20, completedAtMs: 40 },
  ];
  const soldTwice = (rides: typeof three) => claimsOf({ rides }, []).filter((line) => line.startsWith('no seat is sold twice'));

  test('who alights makes room for who boards in the same moment', () => {
    expect(soldTwice(three)).toEqual([]);
  });
  test('three aboard a car of two seats is one too many', () => {
    expect(soldTwice([...three, { ...RIDE, id: 4n, boardedAtMs: 15, completedAtMs: 25 }])).toEqual([
      'no seat is sold twice: route 30 has 2 seats and carried 3 at once',
    ]);
  });
  test('a rider who never alights keeps the seat', () => {
    const stays = { ...RIDE, id: 5n, seats: 2, boardedAtMs: 0, completedAtMs: null, status: 'onboard' };
    expect(soldTwice([stays as unknown as (typeof three)[number], three[2]!])).toHaveLength(1);
  });
});

test('promises are counted by what was promised at booking', () => {
  const late = { ...RIDE, id: 2n, boardedAtMs: 1_501, completedAtMs: 2_501 };
  expect(promisesKept({ ...HEALTHY, rides: [RIDE, late] })).toEqual({ boarded: 2, pickupsOnTime: 1, completed: 2, arrivalsOnTime: 1 });
});
