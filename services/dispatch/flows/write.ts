/**
 * One write: a transaction, and after its commit the nudges to those who follow what it changed.
 *
 * Invariant: nobody is nudged for what was rolled back, and a run that a deadlock repeats starts with a clean slate. A
 * nudge may be lost; the streams poll.
 */
import type { Sql } from '../../../shared/mysql/database.ts';
import { insertDriverEvent } from '../store/driver-events.ts';
import type { DriverEventType } from '../store/driver-events.ts';
import { insertRideEvent } from '../store/ride-events.ts';
import type { RideEventType } from '../store/ride-events.ts';
import { updateRide } from '../store/rides.ts';
import type { Ride, RideChange } from '../store/rides.ts';
import { saveRoute } from '../store/routes.ts';
import type { Route } from '../store/routes.ts';
import type { Stop } from '../store/stops.ts';
import { routeView } from '../wire.ts';
import type { DispatchDeps } from '../ports.ts';

export type Write = {
  readonly tx: Sql;
  readonly deps: DispatchDeps;
  readonly now: Date;
  readonly told: Told;
};

/** Whose streams have news, and whether a ride waits for a driver anew. */
export type Told = { readonly rideIds: Set<bigint>; readonly driverIds: Set<bigint>; search: boolean };

export async function write<T>(deps: DispatchDeps, work: (write: Write) => Promise<T>): Promise<T> {
  let told = nobody();
  const value = await deps.db.transaction(
    (tx) => {
      told = nobody();
      return work({ tx, deps, now: new Date(deps.nowMs()), told });
    },
    { clock: deps.clock },
  );
  deps.nudges.publish(told);
  return value;
}

export function nobody(): Told {
  return { rideIds: new Set(), driverIds: new Set(), search: false };
}

export type RideNews = { readonly type: RideEventType; readonly data?: Readonly<Record<string, unknown>> };

/** Changes a locked ride and appends the event that tells of it. */
export async function advanceRide(on: Write, ride: Ride, change: RideChange, news: RideNews): Promise<Ride> {
  const next = await updateRide(on.tx, ride, { ...change, eventSeq: ride.eventSeq + 1 });
  await appendRideEvent(on, next, news);
  return next;
}

/** For a ride whose eventSeq has been raised already. Every event says where the ride stands. */
export async function appendRideEvent({ tx, deps, now, told }: Write, ride: Ride, { type, data }: RideNews): Promise<void> {
  await insertRideEvent(tx, {
    id: deps.ids.next(),
    rideId: ride.id,
    seq: ride.eventSeq,
    type,
    data: { rideId: ride.id.toString(), status: ride.status, at: now.toISOString(), ...data },
    at: now,
    unit: ride.unit,
  });
  told.rideIds.add(ride.id);
}

/** Tells the driver of the plan as it is now: a new version of the locked route, with the remaining stops. */
export async function publishPlan(on: Write, route: Route, stops: readonly Stop[]): Promise<Route> {
  const next = { ...route, version: route.version + 1 };
  return tellDriver(on, next, 'route', { route: routeView(next, stops) });
}

/** Appends to the stream of the locked route's driver. */
export async function tellDriver(
  { tx, deps, now, told }: Write,
  route: Route,
  type: DriverEventType,
  data: Readonly<Record<string, unknown>>,
): Promise<Route> {
  const next = { ...route, eventSeq: route.eventSeq + 1 };
  await saveRoute(tx, next);
  await insertDriverEvent(tx, {
    id: deps.ids.next(), driverId: route.driverId, seq: next.eventSeq, type, data, at: now, unit: route.unit,
  });
  told.driverIds.add(route.driverId);
  return next;
}
