/**
 * What dispatch needs of the world around it, as the flows see it. main.ts wires the real ones; tests bring their own
 * clock, places and prices.
 *
 * Invariant: each call that leaves the process has a deadline of its own and fails with a TandemError.
 */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { RegionName, Regions } from '../../shared/kernel/region.ts';
import type { Database } from '../../shared/mysql/database.ts';
import type { Place } from '../../shared/unit/place.ts';
import type { Nudges } from './events/nudges.ts';
import type { DispatchMetrics } from './metrics.ts';
import type { DispatchPolicy } from './policy.ts';

export type FareRequest = {
  readonly pickup: Place;
  readonly dropoff: Place;
  readonly distanceM: number;
  /** As a real car drives: prices know no speed factor. */
  readonly durationS: number;
  readonly seats: number;
  readonly pooled: boolean;
  readonly atMs: number;
};

export type PricedFare = {
  readonly fareCents: number;
  readonly currency: string;
  readonly fareCardVersion: number;
  /** The JSON that pricing.proto describes, as text. */
  readonly breakdown: string;
};

export interface Pricing {
  quote(request: FareRequest): Promise<PricedFare>;
}

export type DriverPosition = { readonly driverId: bigint; readonly place: Place; readonly atMs: number };

export interface Location {
  /** Nearest first. */
  nearest(request: { place: Place; limit: number; radiusM: number }): Promise<DriverPosition[]>;
  /** Undefined where the driver has no fresh position. */
  position(driverId: bigint): Promise<DriverPosition | undefined>;
  /** The last position, then each new one, until the signal aborts. */
  track(driverId: bigint, signal: AbortSignal): AsyncIterable<DriverPosition>;
}

/** The part of shared/etcd's UnitMap that dispatch asks. */
export interface UnitHomes {
  isHome(unit: number): boolean;
  /** Throws not-home. */
  assertHome(unit: number): void;
}

export type DispatchDeps = {
  readonly region: RegionName;
  readonly regions: Regions;
  readonly db: Database;
  readonly clock: { now(): bigint };
  readonly ids: { next(): bigint };
  readonly units: UnitHomes;
  readonly policy: { current(): DispatchPolicy };
  readonly pricing: Pricing;
  readonly location: Location;
  readonly nudges: Nudges;
  readonly metrics: DispatchMetrics;
  readonly log: LogSink;
  /** ms since 1970. */
  readonly nowMs: () => number;
  /** Uniform in [0, limit), unpredictable. */
  readonly randomBelow: (limit: number) => number;
};
