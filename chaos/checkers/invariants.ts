/**
 * The promises that no fault may break, as pure checks of one region's rows and of what clients were told.
 *
 * Invariant: a check names every row that breaks it; none repairs, retries or looks away from a kind of row.
 * What both regions must agree on is the comparison's business (cdc/reconcile), not these checks'.
 */
import type { RideRow, Snapshot, Violation } from './snapshot.ts';

/** What a client was told about one ride. */
export type Acknowledged = { readonly rideId: bigint; readonly end: string; readonly chargedCents?: number };

/** All checks of one region's rows. */
export function checkRegion(snapshot: Snapshot, acknowledged: readonly Acknowledged[]): readonly Violation[] {
  return [
    ...acknowledgedRidesStand(snapshot, acknowledged),
    ...noSeatIsSoldTwice(snapshot),
    ...oneDriverARide(snapshot),
    ...everyCompletedRideIsChargedOnce(snapshot),
    ...theLedgerBalances(snapshot),
    ...noIdStandsTwice(snapshot),
  ];
}

export function acknowledgedRidesStand({ region, rides, payments }: Snapshot, acknowledged: readonly Acknowledged[]): Violation[] {
  const claim = 'an acknowledged ride is never lost';
  const byId = new Map(rides.map((ride) => [ride.id, ride]));
  const paid = new Map(payments.filter((payment) => payment.kind === 'fare').map((payment) => [payment.rideId, payment.amountCents]));
  return acknowledged.flatMap(({ rideId, end, chargedCents }) => {
    const ride = byId.get(rideId);
    if (ride === undefined) return [{ claim, region, what: `ride ${rideId} was acknowledged and is not there` }];
    const found: Violation[] = [];
    if (end !== 'unfinished' && ride.status !== end) {
      found.push({ claim, region, what: `ride ${rideId} was told to be ${end} and is ${ride.status}` });
    }
    if (chargedCents !== undefined && paid.get(rideId) !== chargedCents) {
      found.push({ claim, region, what: `ride ${rideId}: the receipt said ${chargedCents} cents, the payment says ${paid.get(rideId) ?? 'nothing'}` });
    }
    return found;
  });
}

export function noSeatIsSoldTwice({ region, rides, routes }: Snapshot): Violation[] {
  const seatsOf = new Map(routes.map((route) => [route.id, route.seats]));
  const byRoute = Map.groupBy(rides.filter((ride) => ride.routeId !== null && ride.boardedAtMs !== null), (ride) => ride.routeId!);
  return [...byRoute].flatMap(([routeId, aboard]) => {
    const seats = seatsOf.get(routeId);
    const taken = seatsTakenMax(aboard);
    if (seats === undefined) return [{ claim: 'a ride aboard has a route', region, what: `route ${routeId} is not there` }];
    return taken <= seats ? [] : [{ claim: 'no seat is sold twice', region, what: `route ${routeId} has ${seats} seats and carried ${taken} at once` }];
  });
}

/** Most seats in use at any moment; who alights in the same ms makes room first. */
function seatsTakenMax(aboard: readonly RideRow[]): number {
  const turns = aboard
    .flatMap((ride) => [
      { atMs: ride.boardedAtMs!, seats: ride.seats },
      { atMs: ride.completedAtMs ?? Number.POSITIVE_INFINITY, seats: -ride.seats },
    ])
    .toSorted((a, b) => a.atMs - b.atMs || a.seats - b.seats);
  let taken = 0;
  let takenMax = 0;
  for (const turn of turns) {
    taken += turn.seats;
    takenMax = Math.max(takenMax, taken);
  }
  return takenMax;
}

export function oneDriverARide({ region, rides, offers }: Snapshot): Violation[] {
  const claim = 'one driver wins a ride';
  const accepted = Map.groupBy(offers.filter((offer) => offer.status === 'accepted'), (offer) => offer.rideId);
  const served = rides.filter((ride) => ride.driverId !== null && ride.status !== 'requested');
  return [
    ...[...accepted].filter(([, wins]) => wins.length > 1).map(([rideId, wins]) => ({ claim, region, what: `ride ${rideId} has ${wins.length} accepted offers` })),
    ...served
      .filter((ride) => ride.status === 'completed' && !accepted.get(ride.id)?.some((offer) => offer.driverId === ride.driverId))
      .map((ride) => ({ claim, region, what: `ride ${ride.id} was driven by ${ride.driverId} without an accepted offer` })),
  ];
}

export function everyCompletedRideIsChargedOnce({ region, rides, fares, payments }: Snapshot): Violation[] {
  const claim = 'a completed ride is charged exactly once';
  const fareOf = new Map(fares.map((fare) => [fare.rideId, fare.amountCents]));
  const chargesOf = Map.groupBy(payments.filter((payment) => payment.kind === 'fare' && payment.status === 'committed'), (payment) => payment.rideId);
  const completed = new Set(rides.filter((ride) => ride.status === 'completed').map((ride) => ride.id));
  const found: Violation[] = [];
  for (const rideId of completed) {
    const charges = chargesOf.get(rideId) ?? [];
    if (charges.length !== 1) found.push({ claim, region, what: `ride ${rideId} has ${charges.length} charges` });
    else if (charges[0]!.amountCents !== fareOf.get(rideId)) {
      found.push({ claim, region, what: `ride ${rideId} is due ${fareOf.get(rideId) ?? 'nothing'} cents and was charged ${charges[0]!.amountCents}` });
    }
  }
  for (const rideId of chargesOf.keys()) {
    if (!completed.has(rideId)) found.push({ claim, region, what: `ride ${rideId} was charged and is not completed` });
  }
  return found;
}

export function theLedgerBalances({ region, payments, ledgerTransactions, ledgerEntries }: Snapshot): Violation[] {
  const claim = 'the ledger balances';
  const sums = new Map<string, bigint>();
  for (const entry of ledgerEntries) {
    const key = `${entry.transactionId} ${entry.currency}`;
    sums.set(key, (sums.get(key) ?? 0n) + entry.amountCents);
  }
  const booked = Map.groupBy(ledgerTransactions, (transaction) => transaction.paymentId);
  const withEntries = new Set(ledgerEntries.map((entry) => entry.transactionId));
  return [
    ...[...sums].filter(([, sum]) => sum !== 0n).map(([key, sum]) => ({ claim, region, what: `transaction ${key} is off by ${sum} cents` })),
    ...payments
      .filter((payment) => payment.status === 'committed' && booked.get(payment.id)?.length !== 1)
      .map((payment) => ({ claim, region, what: `payment ${payment.id} has ${booked.get(payment.id)?.length ?? 0} bookings` })),
    ...ledgerTransactions
      .filter((transaction) => !withEntries.has(transaction.id))
      .map((transaction) => ({ claim, region, what: `transaction ${transaction.id} has no entries` })),
  ];
}

export function noIdStandsTwice({ region, ids, insertConflicts }: Snapshot): Violation[] {
  const claim = 'an id is issued once';
  const tableOf = new Map<bigint, string>();
  const found: Violation[] = insertConflicts.map(({ table, id }) => ({ claim, region, what: `${table} ${id} was inserted in both regions` }));
  for (const { table, id } of ids) {
    const before = tableOf.get(id);
    if (before !== undefined) found.push({ claim, region, what: `id ${id} stands in ${before} and in ${table}` });
    tableOf.set(id, table);
  }
  return found;
}

/** How many picked-up riders were picked up, and arrived, by the times promised at booking. A figure, not a violation. */
export function promisesKept(snapshot: Snapshot): { boarded: number; pickupsOnTime: number; completed: number; arrivalsOnTime: number } {
  const boarded = snapshot.rides.filter((ride) => ride.boardedAtMs !== null);
  const completed = snapshot.rides.filter((ride) => ride.status === 'completed' && ride.completedAtMs !== null);
  return {
    boarded: boarded.length,
    pickupsOnTime: boarded.filter((ride) => ride.boardedAtMs! <= ride.latestPickupAtMs).length,
    completed: completed.length,
    arrivalsOnTime: completed.filter((ride) => ride.completedAtMs! <= ride.latestArrivalAtMs).length,
  };
}
