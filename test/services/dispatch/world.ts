/**
 * A small world for dispatch's tests: a real database, several instances over it, and a clock, places and prices of our own.
 *
 * Invariant: instances share nothing but the database, as in earnest. What other services would say is set by the test.
 */
import type { Engine } from '../../../deploy/local/servers/mysql-program.ts';
import { HybridClock } from '../../../shared/clock/hybrid-clock.ts';
import { IdGenerator } from '../../../shared/id/id-generator.ts';
import { Regions } from '../../../shared/kernel/region.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { greatCircleM } from '../../../shared/unit/place.ts';
import type { Place } from '../../../shared/unit/place.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';
import type { News } from '../../../services/dispatch/events/nudges.ts';
import { acceptOffer } from '../../../services/dispatch/flows/accept.ts';
import { bookRide } from '../../../services/dispatch/flows/book.ts';
import { makeQuote } from '../../../services/dispatch/flows/quote.ts';
import { startShift } from '../../../services/dispatch/flows/shift.ts';
import type { Shift } from '../../../services/dispatch/flows/shift.ts';
import { write } from '../../../services/dispatch/flows/write.ts';
import type { DispatchMetrics } from '../../../services/dispatch/metrics.ts';
import { DEFAULT_POLICY } from '../../../services/dispatch/policy.ts';
import type { DispatchPolicy } from '../../../services/dispatch/policy.ts';
import type { DispatchDeps, DriverPosition, Location, Pricing } from '../../../services/dispatch/ports.ts';
import type { Offer } from '../../../services/dispatch/store/offers.ts';
import { insertQuote } from '../../../services/dispatch/store/quotes.ts';
import type { Ride } from '../../../services/dispatch/store/rides.ts';

/** Where the grid of at() begins, in Manhattan. */
const ORIGIN: Place = { lat: 40.75, lon: -73.98 };

/** About so many hundred metres north and east. */
export function at(north: number, east: number): Place {
  return { lat: ORIGIN.lat + north / 1112, lon: ORIGIN.lon + east / 842 };
}

export type World = {
  /** Each with a connection pool of its own and the rights of dispatch. */
  readonly deps: readonly DispatchDeps[];
  /** Root's, to look and to meddle. */
  readonly db: Database;
  readonly positions: Map<bigint, Place>;
  readonly news: News[];
  /** Units that are at home at the peer. */
  readonly away: Set<number>;
  policy: DispatchPolicy;
  advanceMs(ms: number): void;
  nowMs(): number;
  stop(): Promise<void>;
};

/** @param options.instances how many; engine: the first of engines() by default */
export async function buildWorld(options: { instances?: number; engine?: Engine } = {}): Promise<World> {
  const mysql = await startMysql({ grants: true, engine: options.engine ?? (await engines())[0] });
  const databases = Array.from({ length: options.instances ?? 2 }, () => openDatabase(mysql.users['tandem_dispatch'] ?? mysql.config, { log: SILENT_LOG }));
  const db = openDatabase(mysql.config, { log: SILENT_LOG });
  let offsetMs = 0;
  const nowMs = (): number => Date.now() + offsetMs;
  const world: World = {
    deps: databases.map((own, node) => instance(own, node)),
    db,
    positions: new Map(),
    news: [],
    away: new Set(),
    policy: DEFAULT_POLICY,
    advanceMs: (ms) => void (offsetMs += ms),
    nowMs,
    async stop() {
      await Promise.all([db, ...databases].map((each) => each.close()));
      await mysql.stop();
    },
  };
  return world;

  function instance(db: Database, node: number): DispatchDeps {
    const floorMs = Date.now();
    return {
      region: 'east',
      regions: Regions.parse('east=1,west=2'),
      db,
      clock: new HybridClock({ nowMs }),
      ids: new IdGenerator({ region: 1, node, nowMs, floorMs, ceilingMs: floorMs + 86_400_000 }),
      units: {
        isHome: (unit) => !world.away.has(unit),
        assertHome(unit) {
          if (world.away.has(unit)) throw new TandemError('not-home', `unit ${unit}`, { details: { unit, home: 'west', epoch: 2 } });
        },
      },
      policy: { current: () => world.policy },
      pricing: flatFares,
      location: locationOf(() => world.positions, nowMs),
      nudges: { publish: (news) => void world.news.push(news) },
      metrics: silentMetrics,
      log: SILENT_LOG,
      nowMs,
      randomBelow: () => 417,
    };
  }
}

/** A driver on shift at a place; the seats are the vehicle's. */
export async function onShift(world: World, driver: { id: bigint; place: Place; seats?: number }): Promise<Shift> {
  world.positions.set(driver.id, driver.place);
  return startShift(world.deps[0] as DispatchDeps, { driverId: driver.id, vehicle: { plate: `T-${driver.id}`, seats: driver.seats ?? 4 } });
}

export type Trip = { riderId: bigint; pickup: Place; dropoff: Place; seats?: number; pooled?: boolean };

/** Quotes and books as the HTTP routes do, without their idempotency. */
export async function book(world: World, trip: Trip): Promise<Ride> {
  const deps = world.deps[0] as DispatchDeps;
  const quote = await makeQuote(deps, { seats: 1, pooled: true, ...trip });
  await write(deps, ({ tx }) => insertQuote(tx, quote));
  return write(deps, (on) => bookRide(on, quote));
}

/** An offer straight into the table, as a dispatcher would leave it. */
export async function offerTo(world: World, ride: Ride, shift: Shift): Promise<Offer> {
  const deps = world.deps[0] as DispatchDeps;
  const route = shift.route;
  if (route === undefined) throw new Error('the driver is not on shift');
  const offer: Offer = {
    id: deps.ids.next(), rideId: ride.id, driverId: shift.driverId, routeId: route.id, status: 'open',
    expiresAt: new Date(world.nowMs() + 15_000), unit: route.unit,
  };
  await world.db.execute(
    'INSERT INTO offers (id, ride_id, driver_id, route_id, status, expires_at, unit) VALUES (?)',
    [[offer.id, offer.rideId, offer.driverId, offer.routeId, offer.status, offer.expiresAt, offer.unit]],
  );
  return offer;
}

/** Books a trip and has the driver take it; the ride is assigned afterwards. */
export async function assign(world: World, trip: Trip, shift: Shift) {
  const ride = await book(world, trip);
  const offer = await offerTo(world, ride, shift);
  return acceptOffer(world.deps[0] as DispatchDeps, { offerId: offer.id, driverId: shift.driverId });
}

const flatFares: Pricing = {
  async quote({ distanceM }) {
    const cents = 500 + Math.round(distanceM / 10);
    const lines = [{ kind: 'base', label: 'Base fare', cents: 500 }, { kind: 'distance', label: 'Distance', cents: cents - 500 }];
    const breakdown = JSON.stringify({ lines, driverCents: cents, commissionCents: 0, taxCents: 0, fareCardVersion: 1 });
    return { fareCents: cents, currency: 'USD', fareCardVersion: 1, breakdown };
  },
};

function locationOf(positions: () => ReadonlyMap<bigint, Place>, nowMs: () => number): Location {
  const all = (): DriverPosition[] => [...positions()].map(([driverId, place]) => ({ driverId, place, atMs: nowMs() }));
  return {
    async nearest({ place, limit, radiusM }) {
      const away = (position: DriverPosition): number => greatCircleM(place, position.place);
      return all().filter((each) => away(each) <= radiusM).toSorted((a, b) => away(a) - away(b)).slice(0, limit);
    },
    async position(driverId) {
      return all().find((position) => position.driverId === driverId);
    },
    async *track(driverId) {
      yield* all().filter((position) => position.driverId === driverId);
    },
  };
}

const nothing = (): void => {};
const silentMetrics: DispatchMetrics = {
  offered: nothing, offerEnded: nothing, assigned: nothing, completed: nothing, rejected: nothing, searchFailed: nothing,
  turnTook: nothing, turnFailed: nothing, openRides: nothing,
};
