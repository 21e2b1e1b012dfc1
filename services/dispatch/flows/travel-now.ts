/**
 * The travel model and the limits of this moment's policy.
 *
 * Invariant: every duration of the world that dispatch compares (driving, waiting, detours) comes from here, divided by
 * one speed factor; prices take unscaled().
 */
import type { Place } from '../../../shared/unit/place.ts';
import { decidePromise } from '../domain/promise.ts';
import type { RidePromise } from '../domain/promise.ts';
import { greatCircleTravel } from '../domain/travel.ts';
import type { TravelModel } from '../domain/travel.ts';
import type { DispatchPolicy } from '../policy.ts';

export function travelOf(policy: DispatchPolicy): TravelModel {
  return greatCircleTravel(policy);
}

/** As a real car drives. */
export function unscaledTravelOf(policy: DispatchPolicy): TravelModel {
  return greatCircleTravel({ ...policy, speedFactor: 1 });
}

export function promiseOf(policy: DispatchPolicy, ride: { pickup: Place; dropoff: Place; requestedMs: number }): RidePromise {
  return decidePromise({
    requestedMs: ride.requestedMs,
    directMs: travelOf(policy).durationMs(ride.pickup, ride.dropoff),
    waitLimitMs: (policy.waitLimitS * 1000) / policy.speedFactor,
    detourLimitMs: (policy.detourLimitS * 1000) / policy.speedFactor,
  });
}
