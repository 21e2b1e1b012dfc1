/** Claims about what happens at once: one winner, no seat twice, no two open offers, one open shift. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Dispatcher } from '../../../../services/dispatch/dispatcher.ts';
import { acceptOffer } from '../../../../services/dispatch/flows/accept.ts';
import { cancelRide } from '../../../../services/dispatch/flows/cancel.ts';
import { endShift, startShift } from '../../../../services/dispatch/flows/shift.ts';
import type { DispatchDeps } from '../../../../services/dispatch/ports.ts';
import { findRide } from '../../../../services/dispatch/store/rides.ts';
import { isTandemError } from '../../../../shared/kernel/tandem-error.ts';
import { engines } from '../../../harness/mysql.ts';
import { at, book, buildWorld, offerTo, onShift } from '../world.ts';
import type { World } from '../world.ts';

describe.each(await engines())('on %s', (engine) => {
  let world: World;
  let one: DispatchDeps;
  let other: DispatchDeps;
  let nextId = 5000n;
  const someone = (): bigint => (nextId += 1n);

  beforeAll(async () => {
    world = await buildWorld({ engine, instances: 2 });
    [one, other] = world.deps as [DispatchDeps, DispatchDeps];
  });
  afterAll(() => world.stop());

  const ROUNDS = 10;
  const trip = (change: object = {}) => ({ riderId: someone(), pickup: at(0, 2), dropoff: at(0, 20), ...change });

  test('of two drivers who accept one ride at once, one wins and the other is told it is gone', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const shifts = await Promise.all([someone(), someone()].map((id) => onShift(world, { id, place: at(0, 0) })));
      const ride = await book(world, trip());
      const offers = await Promise.all(shifts.map((shift) => offerTo(world, ride, shift)));
      const outcomes = await Promise.allSettled(
        offers.map(({ id, driverId }, index) => acceptOffer(world.deps[index] as DispatchDeps, { offerId: id, driverId })),
      );
      expect(outcomes.map(codeOf).toSorted()).toEqual(['offer-gone', 'ok']);
      const stops = await world.db.query<{ count: bigint }>('SELECT COUNT(*) AS count FROM stops WHERE ride_id = ?', [ride.id]);
      expect(stops[0]?.count).toBe(2n);
      for (const shift of shifts) await clear(shift.driverId);
    }
  });

  test('one driver who accepts twice at once has the ride once', async () => {
    const shift = await onShift(world, { id: someone(), place: at(0, 0) });
    const ride = await book(world, trip());
    const offer = await offerTo(world, ride, shift);
    const outcomes = await Promise.all(world.deps.map((deps) => acceptOffer(deps, { offerId: offer.id, driverId: shift.driverId })));
    expect(new Set(outcomes.map((outcome) => outcome.ride.id))).toEqual(new Set([ride.id]));
    expect(outcomes.map((outcome) => outcome.stops.length)).toEqual([2, 2]);
    await clear(shift.driverId);
  });

  test('two riders for the last seat: the second accept is checked again and loses', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const shift = await onShift(world, { id: someone(), place: at(0, 0), seats: 1 });
      const rides = await Promise.all([book(world, trip()), book(world, trip())]);
      const offers = await Promise.all(rides.map((ride) => offerTo(world, ride, shift)));
      const outcomes = await Promise.allSettled(
        offers.map(({ id, driverId }, index) => acceptOffer(world.deps[index] as DispatchDeps, { offerId: id, driverId })),
      );
      // The loser may still fit behind the winner's drop-off; then its own promise decides, so a seat is never held twice.
      const peak = await peakLoad(shift.route?.id ?? 0n);
      expect(outcomes.map(codeOf).filter((code) => code !== 'offer-gone')).toContain('ok');
      expect(outcomes.map(codeOf).filter((code) => code !== 'offer-gone' && code !== 'ok')).toEqual([]);
      expect(peak).toBe(1);
      await clear(shift.driverId);
    }
  });

  test('a cancel and an accept at once leave either a cancelled ride without stops or an accept that came first', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const shift = await onShift(world, { id: someone(), place: at(0, 0) });
      const ride = await book(world, trip());
      const offer = await offerTo(world, ride, shift);
      const [accepted, cancelled] = await Promise.allSettled([
        acceptOffer(one, { offerId: offer.id, driverId: shift.driverId }),
        cancelRide(other, { rideId: ride.id, reason: 'rider' }),
      ]);
      expect(codeOf(cancelled)).toBe('ok');
      expect(['ok', 'offer-gone']).toContain(codeOf(accepted));
      expect((await findRide(world.db, ride.id))?.status).toBe('cancelled');
      const open = await world.db.query(`SELECT id FROM stops WHERE ride_id = ? AND status IN ('planned', 'arrived')`, [ride.id]);
      expect(open).toEqual([]);
      await clear(shift.driverId);
    }
  });

  test('however often a driver goes on shift at once, one route opens', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const driverId = someone();
      const vehicle = { plate: `T-${driverId}`, seats: 4 };
      // Every other driver has been on shift before: then there is an account, whose row is all that stands between them.
      if (round % 2 === 0) {
        await startShift(one, { driverId, vehicle });
        await endShift(one, driverId);
      }
      const shifts = await Promise.all(Array.from({ length: 6 }, (_, index) => startShift(index % 2 === 0 ? one : other, { driverId, vehicle })));
      expect(new Set(shifts.map((shift) => shift.route?.id)).size).toBe(1);
      const routes = await world.db.query(`SELECT id FROM routes WHERE driver_id = ? AND status = 'open'`, [driverId]);
      expect(routes).toHaveLength(1);
    }
  });

  test('an accept and the end of the shift at once: never a rider planned on a closed route', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const shift = await onShift(world, { id: someone(), place: at(0, 0) });
      const offer = await offerTo(world, await book(world, trip()), shift);
      const [accepted, ended] = await Promise.allSettled([
        acceptOffer(one, { offerId: offer.id, driverId: shift.driverId }),
        endShift(other, shift.driverId),
      ]);
      expect([codeOf(accepted), codeOf(ended)].toSorted()).toEqual(
        codeOf(accepted) === 'ok' ? ['conflict', 'ok'] : ['offer-gone', 'ok'],
      );
      await clear(shift.driverId);
    }
  });

  describe('two dispatchers', () => {
    test('never make two open offers for one ride or one driver, and leave no ride without one', async () => {
      world.positions.clear();
      await world.db.execute(`UPDATE rides SET status = 'cancelled' WHERE status = 'requested'`);
      const drivers = await Promise.all(Array.from({ length: 12 }, (_, i) => onShift(world, { id: someone(), place: at(0, i % 4) })));
      const rides = await Promise.all(Array.from({ length: 10 }, (_, i) => book(world, trip({ pickup: at(1, i % 5), dropoff: at(10, 10) }))));
      const dispatchers = world.deps.map((deps) => new Dispatcher(deps));
      for (let turn = 0; turn < 4; turn += 1) {
        await Promise.all(dispatchers.map((dispatcher) => dispatcher.turn()));
        world.advanceMs(world.policy.dispatchEveryMs);
      }
      const perRide = await openOffers('ride_id');
      const perDriver = await openOffers('driver_id');
      expect(Math.max(...perRide.values())).toBe(1);
      expect(Math.max(...perDriver.values())).toBe(1);
      expect(rides.filter((ride) => perRide.has(ride.id))).toHaveLength(10);
      expect(drivers.filter((shift) => perDriver.has(shift.driverId))).toHaveLength(10);
    });

    test('ask the next driver once an offer has expired, never the same one again, and give up in time', async () => {
      world.positions.clear();
      await world.db.execute(`UPDATE offers SET status = 'withdrawn' WHERE status = 'open'`);
      await world.db.execute(`UPDATE rides SET status = 'cancelled' WHERE status = 'requested'`);
      const near = await onShift(world, { id: someone(), place: at(0, 1) });
      const far = await onShift(world, { id: someone(), place: at(0, 9) });
      const ride = await book(world, trip());
      const dispatchers = world.deps.map((deps) => new Dispatcher(deps));
      const asked: bigint[] = [];
      for (let turn = 0; turn < 30; turn += 1) {
        await Promise.all(dispatchers.map((dispatcher) => dispatcher.turn()));
        const [offer] = await world.db.query<{ driver_id: bigint }>(`SELECT driver_id FROM offers WHERE ride_id = ? AND status = 'open'`, [ride.id]);
        if (offer !== undefined && asked.at(-1) !== offer.driver_id) asked.push(offer.driver_id);
        world.advanceMs(15_100);
      }
      expect(asked).toEqual([near.driverId, far.driverId]);
      expect(await findRide(world.db, ride.id)).toMatchObject({ status: 'rejected', statusReason: 'no-driver-in-time' });
    });

    test('leave alone rides and drivers whose unit is at home at the peer', async () => {
      world.positions.clear();
      const shift = await onShift(world, { id: someone(), place: at(0, 1) });
      const ride = await book(world, trip());
      world.away.add(shift.route?.unit ?? -1);
      expect((await new Dispatcher(one).turn()).offered).toBe(0);
      world.away.clear();
      world.away.add(ride.unit);
      world.advanceMs(1000);
      expect((await new Dispatcher(one).turn()).claimed).toBe(0);
      world.away.clear();
      expect((await new Dispatcher(one).turn()).offered).toBe(1);
    });
  });

  async function openOffers(column: 'ride_id' | 'driver_id'): Promise<Map<bigint, number>> {
    const rows = await world.db.query<{ owner: bigint; count: bigint }>(
      `SELECT ${column} AS owner, COUNT(*) AS count FROM offers WHERE status = 'open' GROUP BY ${column}`,
    );
    return new Map(rows.map((row) => [row.owner, Number(row.count)]));
  }

  /** The most seats held at once along the remaining stops. */
  async function peakLoad(routeId: bigint): Promise<number> {
    const stops = await world.db.query<{ kind: string; seats: number }>(
      `SELECT kind, seats FROM stops WHERE route_id = ? AND status = 'planned' ORDER BY position`,
      [routeId],
    );
    let held = 0;
    return Math.max(0, ...stops.map(({ kind, seats }) => (held += kind === 'pickup' ? seats : -seats)));
  }

  /** Takes the driver off the road, so that later rounds do not meet them. */
  async function clear(driverId: bigint): Promise<void> {
    world.positions.delete(driverId);
    await world.db.execute(`UPDATE routes SET status = 'closed' WHERE driver_id = ?`, [driverId]);
  }
});

function codeOf(outcome: PromiseSettledResult<unknown>): string {
  if (outcome.status === 'fulfilled') return 'ok';
  return isTandemError(outcome.reason) ? outcome.reason.code : String(outcome.reason);
}
