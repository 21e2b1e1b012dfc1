/**
 * What a driver does at a stop: arrive, board, alight.
 *
 * Invariant: stop, ride and plan change together. A driver arrives at the first remaining stop only, boards only who told
 * the ride's OTP, and a ride that is alighted has its fare written in the same transaction: no ride is completed without
 * one, none has two. Doing the same twice is no error.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { decideBoarding } from '../domain/otp.ts';
import { decideMove } from '../domain/ride-state.ts';
import type { RideStatus } from '../domain/ride-state.ts';
import type { StopKind } from '../domain/route-plan.ts';
import type { DispatchDeps } from '../ports.ts';
import { insertFare } from '../store/fares.ts';
import type { Ride } from '../store/rides.ts';
import type { Route } from '../store/routes.ts';
import { findOpenStops, findOwnedStop, saveStopProgress } from '../store/stops.ts';
import type { OpenStop, OwnedStop, Stop } from '../store/stops.ts';
import { absent, notTheirs } from './absent.ts';
import { lockRideAndRoute } from './lock-order.ts';
import { retime } from './plan.ts';
import { travelOf } from './travel-now.ts';
import { advanceRide, publishPlan, write } from './write.ts';
import type { Write } from './write.ts';

export type AtStop = { readonly stop: Stop; readonly ride: Ride; readonly route: Route; readonly stops: readonly Stop[] };

type Locked = Omit<AtStop, 'stops'> & { readonly stops: readonly OpenStop[] };

export type StopRequest = { readonly stopId: bigint; readonly driverId: bigint };

/** Throws not-found, not-home, conflict where another stop comes first (details.nextStopId). */
export async function arriveAtStop(deps: DispatchDeps, request: StopRequest): Promise<AtStop> {
  const found = await findTheirStop(deps, request);
  return write(deps, async (on): Promise<AtStop> => {
    const at = await lockAt(on, found);
    if (at.stop.status !== 'planned') return at;
    const [next] = at.stops;
    if (next !== undefined && next.id !== at.stop.id) {
      throw new TandemError('conflict', `stop ${next.id} comes first`, { details: { nextStopId: next.id.toString() } });
    }
    const stop: Stop = { ...at.stop, status: 'arrived', arrivedAt: on.now };
    await saveStopProgress(on.tx, stop);
    const ride = stop.kind === 'pickup' ? await move(on, at.ride, 'arrived') : at.ride;
    return { ...at, stop, ride, stops: at.stops.map((open) => (open.id === stop.id ? stop : open)) };
  });
}

/** Throws not-found, not-home, otp-mismatch (details.triesLeft), conflict where the driver has not arrived. */
export async function boardRider(deps: DispatchDeps, request: StopRequest & { otp: string }): Promise<AtStop> {
  const found = await findTheirStop(deps, request, 'pickup');
  // A wrong try is counted, hence committed; it turns into an error only afterwards.
  const outcome = await write(deps, async (on) => {
    const at = await lockAt(on, found);
    const decision = decideMove(at.ride.status, 'onboard');
    if (decision === 'already') return at;
    if (decision === 'refuse') throw wrongState(at.ride, 'onboard');
    const boarding = decideBoarding({ otp: at.ride.otp, given: request.otp, failures: at.ride.otpFailures });
    if (boarding.kind === 'match') return depart(on, at, await move(on, at.ride, 'onboard'));
    if (boarding.kind === 'mismatch') {
      const { triesLeft } = boarding;
      await advanceRide(on, at.ride, { otpFailures: at.ride.otpFailures + 1 }, { type: 'otp-failed', data: { triesLeft } });
    }
    return boarding;
  });
  if (!('triesLeft' in outcome)) return outcome;
  throw new TandemError('otp-mismatch', outcome.kind === 'locked' ? 'too many wrong tries' : 'this is not the OTP of the ride', {
    details: { triesLeft: outcome.triesLeft },
  });
}

/** Throws not-found, not-home, conflict where the rider is not aboard. */
export async function alightRider(deps: DispatchDeps, request: StopRequest): Promise<AtStop> {
  const found = await findTheirStop(deps, request, 'dropoff');
  return write(deps, async (on) => {
    const at = await lockAt(on, found);
    const decision = decideMove(at.ride.status, 'completed');
    if (decision === 'already') return at;
    if (decision === 'refuse') throw wrongState(at.ride, 'completed');
    const ride = await move(on, at.ride, 'completed');
    await insertFare(on.tx, ride, at.route.driverId);
    deps.metrics.completed();
    return depart(on, at, ride);
  });
}

async function findTheirStop(deps: DispatchDeps, request: StopRequest, kind?: StopKind): Promise<OwnedStop> {
  const stop = await findOwnedStop(deps.db, request.stopId);
  if (stop === undefined) throw absent('stop', request.stopId);
  if (stop.driverId !== request.driverId) throw notTheirs('stop', request.stopId);
  deps.units.assertHome(stop.unit);
  if (kind !== undefined && stop.kind !== kind) throw new TandemError('conflict', `stop ${stop.id} is a ${stop.kind}`);
  return stop;
}

/** The stop as it is under the locks, with the ride, the route and what remains of it. */
async function lockAt(on: Write, found: OwnedStop): Promise<Locked> {
  const { ride, route } = await lockRideAndRoute(on.tx, found);
  on.deps.units.assertHome(ride.unit);
  const stops = (await findOpenStops(on.tx, [route.id])).get(route.id) ?? [];
  const stop = stops.find((open) => open.id === found.id) ?? (await findOwnedStop(on.tx, found.id)) ?? found;
  if (stop.status === 'cancelled') throw new TandemError('conflict', `stop ${stop.id} was cancelled with its ride`);
  return { stop, ride, route, stops };
}

/** The stop is done; the car goes on from there. */
async function depart(on: Write, at: Locked, ride: Ride): Promise<AtStop> {
  const stop: Stop = { ...at.stop, status: 'done', arrivedAt: at.stop.arrivedAt ?? on.now, doneAt: on.now };
  await saveStopProgress(on.tx, stop);
  const remaining = at.stops.filter((open) => open.id !== stop.id);
  const travel = travelOf(on.deps.policy.current());
  const stops = await retime(on, { route: at.route, stops: remaining, position: stop.place, travel });
  const route = await publishPlan(on, at.route, stops);
  return { stop, ride, route, stops };
}

type Stage = 'arrived' | 'onboard' | 'completed';

async function move(on: Write, ride: Ride, next: Stage): Promise<Ride> {
  if (decideMove(ride.status, next) !== 'move') throw wrongState(ride, next);
  const stamp = { arrived: 'arrivedAt', onboard: 'boardedAt', completed: 'completedAt' }[next];
  return advanceRide(on, ride, { status: next, [stamp]: on.now }, { type: next });
}

function wrongState(ride: Ride, next: RideStatus): TandemError {
  return new TandemError('conflict', `a ride that is ${ride.status} cannot become ${next}`, { details: { status: ride.status } });
}
