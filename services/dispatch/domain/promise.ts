/**
 * The promise: the latest pick-up and arrival a rider is told.
 *
 * Invariant: the detour is measured against the rider's own direct ride, not against the car's current route; once told,
 * a promise is never moved. All durations here are on one clock: the caller has applied the world's speed factor.
 */
export type RidePromise = { readonly latestPickupMs: number; readonly latestArrivalMs: number };

export type PromiseTerms = {
  readonly requestedMs: number;
  /** Of the rider's direct ride. */
  readonly directMs: number;
  readonly waitLimitMs: number;
  readonly detourLimitMs: number;
};

export function decidePromise({ requestedMs, directMs, waitLimitMs, detourLimitMs }: PromiseTerms): RidePromise {
  return {
    latestPickupMs: Math.floor(requestedMs + waitLimitMs),
    latestArrivalMs: Math.floor(requestedMs + directMs + detourLimitMs),
  };
}
