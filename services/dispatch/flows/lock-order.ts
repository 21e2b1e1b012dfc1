/**
 * The one order in which transactions lock rows: account, ride, route, offer. Stops are written under their route's lock
 * and have none of their own.
 *
 * Invariant: whoever changes a ride, its offers or its stops holds the ride; whoever changes a driver's plan, stops or
 * stream holds the open route. Ride before route, because the ride of an offer or stop never changes and so is known
 * before anything is locked, while the route of a ride does change. Two routes at once go by id. No transaction locks two
 * rides: other riders' promises are read from the stops, where they stand fixed.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../../shared/mysql/database.ts';
import { lockRide } from '../store/rides.ts';
import type { Ride } from '../store/rides.ts';
import { lockRoute } from '../store/routes.ts';
import type { Route } from '../store/routes.ts';
import { absent } from './absent.ts';

/** Throws not-found where replication has not brought one of them yet. */
export async function lockRideAndRoute(tx: Sql, input: { rideId: bigint; routeId: bigint }): Promise<{ ride: Ride; route: Route }> {
  const ride = await lockRide(tx, input.rideId);
  if (ride === undefined) throw absent('ride', input.rideId);
  const route = await lockRoute(tx, input.routeId);
  if (route === undefined) throw absent('route', input.routeId);
  return { ride, route };
}

/** In the order of their ids, each once. */
export async function lockRoutes(tx: Sql, ids: readonly bigint[]): Promise<Map<bigint, Route>> {
  const routes = new Map<bigint, Route>();
  const inOrder = [...new Set(ids)].toSorted((a, b) => (a < b ? -1 : 1));
  for (const id of inOrder) {
    const route = await lockRoute(tx, id);
    if (route === undefined) throw new TandemError('not-found', `there is no route ${id} here`);
    routes.set(id, route);
  }
  return routes;
}
