/** Claims of one ride's way through the flows: every step once, every event in order, nobody else's business. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acceptOffer } from '../../../../services/dispatch/flows/accept.ts';
import { cancelRide } from '../../../../services/dispatch/flows/cancel.ts';
import { declineOffer } from '../../../../services/dispatch/flows/close-offer.ts';
import { rateRide } from '../../../../services/dispatch/flows/rate.ts';
import { endShift, startShift } from '../../../../services/dispatch/flows/shift.ts';
import { alightRider, arriveAtStop, boardRider } from '../../../../services/dispatch/flows/stops.ts';
import type { DispatchDeps } from '../../../../services/dispatch/ports.ts';
import { readDriverEvents } from '../../../../services/dispatch/store/driver-events.ts';
import { readRideEvents } from '../../../../services/dispatch/store/ride-events.ts';
import { findRide } from '../../../../services/dispatch/store/rides.ts';
import { engines } from '../../../harness/mysql.ts';
import { assign, at, book, buildWorld, offerTo, onShift } from '../world.ts';
import type { World } from '../world.ts';

describe.each(await engines())('on %s', (engine) => {
  let world: World;
  let deps: DispatchDeps;
  let nextId = 1000n;
  const someone = (): bigint => (nextId += 1n);

  beforeAll(async () => {
    world = await buildWorld({ engine });
    deps = world.deps[0] as DispatchDeps;
  });
  afterAll(() => world.stop());

  const trip = (change: object = {}) => ({ riderId: someone(), pickup: at(0, 2), dropoff: at(0, 20), ...change });
  const conflict = expect.objectContaining({ code: 'conflict' });
  const rideTypes = async (key: bigint) => (await readRideEvents(world.db, { key, after: 0n, limit: 100 })).map(({ seq, type }) => `${seq} ${type}`);
  const driverEvents = (key: bigint, after = 0n) => readDriverEvents(world.db, { key, after, limit: 100 });

  describe('a ride', () => {
    test('goes from booking to a fare, step by step, each step harmless twice', async () => {
      const driverId = someone();
      const shift = await onShift(world, { id: driverId, place: at(0, 0) });
      const { ride, stops } = await assign(world, trip(), shift);
      const [pickup, dropoff] = stops.map((stop) => ({ stopId: stop.id, driverId }));
      if (pickup === undefined || dropoff === undefined) throw new Error('two stops expected');
      for (let twice = 0; twice < 2; twice += 1) {
        expect((await arriveAtStop(deps, pickup)).ride.status).toBe('arrived');
      }
      for (let twice = 0; twice < 2; twice += 1) {
        expect((await boardRider(deps, { ...pickup, otp: '0417' })).ride.status).toBe('onboard');
      }
      expect((await arriveAtStop(deps, dropoff)).stop.status).toBe('arrived');
      for (let twice = 0; twice < 2; twice += 1) {
        const done = await alightRider(deps, dropoff);
        expect(done).toMatchObject({ ride: { status: 'completed' }, stop: { status: 'done' }, stops: [] });
      }
      const fares = await world.db.query('SELECT id, payer_id, driver_id, amount_cents, unit FROM fares WHERE ride_id = ?', [ride.id]);
      expect(fares).toEqual([{ id: ride.id, payer_id: ride.riderId, driver_id: driverId, amount_cents: ride.fareCents, unit: ride.unit }]);
      expect(await rideTypes(ride.id)).toEqual(['1 requested', '2 assigned', '3 arrived', '4 onboard', '5 completed']);
      expect((await driverEvents(driverId)).map(({ seq, type }) => `${seq} ${type}`)).toEqual(['1 route', '2 route', '3 route']);
    });

    test('is rated once', async () => {
      const driverId = someone();
      const { ride, stops } = await assign(world, trip(), await onShift(world, { id: driverId, place: at(0, 0) }));
      await expect(rateRide(deps, { rideId: ride.id, stars: 5 })).rejects.toEqual(conflict);
      await arriveAtStop(deps, { stopId: stops[0]?.id ?? 0n, driverId });
      await boardRider(deps, { stopId: stops[0]?.id ?? 0n, driverId, otp: '0417' });
      await alightRider(deps, { stopId: stops[1]?.id ?? 0n, driverId });
      expect((await rateRide(deps, { rideId: ride.id, stars: 5, comment: 'smooth' })).rating).toBe(5);
      expect((await rateRide(deps, { rideId: ride.id, stars: 5 })).rating).toBe(5);
      await expect(rateRide(deps, { rideId: ride.id, stars: 1 })).rejects.toEqual(conflict);
    });

    test('called off frees the driver of its stops and tells both', async () => {
      const driverId = someone();
      const { ride } = await assign(world, trip(), await onShift(world, { id: driverId, place: at(0, 0) }));
      for (let twice = 0; twice < 2; twice += 1) {
        expect(await cancelRide(deps, { rideId: ride.id, reason: 'plans-changed' })).toMatchObject({ status: 'cancelled', statusReason: 'plans-changed' });
      }
      expect(await rideTypes(ride.id)).toEqual(['1 requested', '2 assigned', '3 cancelled']);
      const [, emptied] = await driverEvents(driverId);
      expect(JSON.parse(emptied?.data ?? '{}')).toMatchObject({ route: { stops: [] } });
      expect((await endShift(deps, driverId)).route?.isOpen).toBe(false);
    });

    test('called off while offered withdraws the offer', async () => {
      const driverId = someone();
      const shift = await onShift(world, { id: driverId, place: at(0, 0) });
      const ride = await book(world, trip());
      const offer = await offerTo(world, ride, shift);
      await cancelRide(deps, { rideId: ride.id, reason: 'rider' });
      await expect(acceptOffer(deps, { offerId: offer.id, driverId })).rejects.toMatchObject({ code: 'offer-gone' });
      const [closed] = await driverEvents(driverId);
      expect(closed).toMatchObject({ type: 'offer-closed', seq: 1n });
    });

    test('cannot be called off once the rider is aboard', async () => {
      const driverId = someone();
      const { ride, stops } = await assign(world, trip(), await onShift(world, { id: driverId, place: at(0, 0) }));
      await arriveAtStop(deps, { stopId: stops[0]?.id ?? 0n, driverId });
      await boardRider(deps, { stopId: stops[0]?.id ?? 0n, driverId, otp: '0417' });
      await expect(cancelRide(deps, { rideId: ride.id, reason: 'rider' })).rejects.toEqual(conflict);
    });
  });

  describe('boarding', () => {
    test('five wrong passwords lock it, even for the right one, and every try is on record', async () => {
      const driverId = someone();
      const { ride, stops } = await assign(world, trip(), await onShift(world, { id: driverId, place: at(0, 0) }));
      const pickup = { stopId: stops[0]?.id ?? 0n, driverId };
      await expect(boardRider(deps, { ...pickup, otp: '0417' })).rejects.toEqual(conflict);
      await arriveAtStop(deps, pickup);
      for (let triesLeft = 4; triesLeft >= 0; triesLeft -= 1) {
        await expect(boardRider(deps, { ...pickup, otp: '9999' })).rejects.toMatchObject({ code: 'otp-mismatch', details: { triesLeft } });
      }
      await expect(boardRider(deps, { ...pickup, otp: '0417' })).rejects.toMatchObject({ code: 'otp-mismatch', details: { triesLeft: 0 } });
      expect((await rideTypes(ride.id)).filter((type) => type.endsWith('otp-failed'))).toHaveLength(5);
      expect((await findRide(world.db, ride.id))?.status).toBe('arrived');
    });
  });

  describe('offers and stops', () => {
    test('are the business of their driver alone, and of no other', async () => {
      const driverId = someone();
      const shift = await onShift(world, { id: driverId, place: at(0, 0) });
      const ride = await book(world, trip());
      const offer = await offerTo(world, ride, shift);
      const missing = expect.objectContaining({ code: 'not-found' });
      await expect(acceptOffer(deps, { offerId: offer.id, driverId: someone() })).rejects.toEqual(missing);
      await expect(declineOffer(deps, { offerId: offer.id, driverId: someone() })).rejects.toEqual(missing);
      const { stops } = await acceptOffer(deps, { offerId: offer.id, driverId });
      await expect(arriveAtStop(deps, { stopId: stops[0]?.id ?? 0n, driverId: someone() })).rejects.toEqual(missing);
    });

    test('a stop is not arrived at before the one that comes first', async () => {
      const driverId = someone();
      const { stops } = await assign(world, trip(), await onShift(world, { id: driverId, place: at(0, 0) }));
      await expect(arriveAtStop(deps, { stopId: stops[1]?.id ?? 0n, driverId })).rejects.toMatchObject({
        code: 'conflict', details: { nextStopId: stops[0]?.id.toString() },
      });
    });

    test('declined, an offer is closed and the ride due again at once', async () => {
      const driverId = someone();
      const shift = await onShift(world, { id: driverId, place: at(0, 0) });
      const ride = await book(world, trip());
      const offer = await offerTo(world, ride, shift);
      for (let twice = 0; twice < 2; twice += 1) {
        expect((await declineOffer(deps, { offerId: offer.id, driverId })).offer.status).toBe('declined');
      }
      expect(world.news.at(-2)?.search).toBe(true);
      await expect(acceptOffer(deps, { offerId: offer.id, driverId })).rejects.toMatchObject({ code: 'offer-gone' });
    });

    test('of a unit at home at the peer are not touched here', async () => {
      const driverId = someone();
      const shift = await onShift(world, { id: driverId, place: at(0, 0) });
      const offer = await offerTo(world, await book(world, trip()), shift);
      world.away.add(offer.unit);
      try {
        await expect(acceptOffer(deps, { offerId: offer.id, driverId })).rejects.toMatchObject({ code: 'not-home', details: { home: 'west' } });
      } finally {
        world.away.delete(offer.unit);
      }
    });
  });

  describe('pooling', () => {
    test('a second rider joins where both promises hold; the plan keeps both', async () => {
      const driverId = someone();
      const shift = await onShift(world, { id: driverId, place: at(0, 0) });
      await assign(world, trip({ pickup: at(0, 2), dropoff: at(0, 20) }), shift);
      const { stops, route } = await assign(world, trip({ pickup: at(0, 5), dropoff: at(0, 15) }), shift);
      expect(stops.map((stop) => stop.kind)).toEqual(['pickup', 'pickup', 'dropoff', 'dropoff']);
      expect(stops.map((stop) => stop.position)).toEqual([0, 1, 2, 3]);
      expect(route.version).toBe(2);
      for (const stop of stops) expect(stop.etaAt.getTime()).toBeLessThanOrEqual(stop.latestAt.getTime());
    });

    test('a solo rider shares with nobody', async () => {
      const driverId = someone();
      const shift = await onShift(world, { id: driverId, place: at(0, 0) });
      await assign(world, trip({ pickup: at(0, 2), dropoff: at(0, 20), pooled: false }), shift);
      const ride = await book(world, trip({ pickup: at(0, 5), dropoff: at(0, 15) }));
      const offer = await offerTo(world, ride, shift);
      await expect(acceptOffer(deps, { offerId: offer.id, driverId })).rejects.toMatchObject({ code: 'offer-gone', details: { reason: 'not-feasible' } });
      expect((await findRide(world.db, ride.id))?.status).toBe('requested');
    });
  });

  describe('a shift', () => {
    test('that is on already with the same vehicle is simply on; with another it is a conflict', async () => {
      const driverId = someone();
      const first = await onShift(world, { id: driverId, place: at(0, 0) });
      expect((await startShift(deps, { driverId })).route?.id).toBe(first.route?.id);
      await expect(startShift(deps, { driverId, vehicle: { plate: 'OTHER', seats: 2 } })).rejects.toEqual(conflict);
    });

    test('needs a vehicle the first time', async () => {
      await expect(startShift(deps, { driverId: someone() })).rejects.toMatchObject({ code: 'validation-failed' });
    });

    test('does not end with riders planned, and withdraws what is only offered', async () => {
      const driverId = someone();
      const shift = await onShift(world, { id: driverId, place: at(0, 0) });
      const offer = await offerTo(world, await book(world, trip()), shift);
      expect((await endShift(deps, driverId)).route?.isOpen).toBe(false);
      expect((await driverEvents(driverId)).map(({ type }) => type)).toEqual(['offer-closed']);
      await expect(acceptOffer(deps, { offerId: offer.id, driverId })).rejects.toMatchObject({ code: 'offer-gone' });
      const again = await onShift(world, { id: driverId, place: at(0, 0) });
      await assign(world, trip(), again);
      await expect(endShift(deps, driverId)).rejects.toEqual(conflict);
    });

    test('carries on the numbers of the driver\'s events from the last one', async () => {
      const driverId = someone();
      const shift = await onShift(world, { id: driverId, place: at(0, 0) });
      await offerTo(world, await book(world, trip()), shift);
      await endShift(deps, driverId);
      await assign(world, trip(), await onShift(world, { id: driverId, place: at(0, 0) }));
      expect((await driverEvents(driverId)).map(({ seq, type }) => `${seq} ${type}`)).toEqual(['1 offer-closed', '2 route']);
    });
  });
});
