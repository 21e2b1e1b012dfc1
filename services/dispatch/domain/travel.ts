/**
 * How long it takes and how far it is from place to place: the port TravelModel, and the model that needs no map,
 * great-circle distance × a street factor at an average speed.
 *
 * Invariant: durations are whole milliseconds, never negative, and obey the triangle inequality, so that an inserted stop
 * never makes a route faster. It knows no traffic and no streets; a street graph or a table fetched ahead fits the port.
 */
import { greatCircleM } from '../../../shared/unit/place.ts';
import type { Place } from '../../../shared/unit/place.ts';

export interface TravelModel {
  /** Metres to drive. */
  distanceM(source: Place, target: Place): number;
  /** Whole milliseconds to drive, on the clock that promises are measured with. */
  durationMs(source: Place, target: Place): number;
  /** Metres as the crow flies beyond which nothing can be reached in that time: a true bound, for prescreening. */
  reachM(durationMs: number): number;
}

export type GreatCircleOptions = {
  readonly averageSpeedKmph: number;
  /** Metres of street for one metre as the crow flies, ≥ 1. */
  readonly streetFactor: number;
  /** How many times faster than the world's clock the cars drive; 1 in earnest, more in a replay. */
  readonly speedFactor: number;
};

export function greatCircleTravel({ averageSpeedKmph, streetFactor, speedFactor }: GreatCircleOptions): TravelModel {
  const metresPerMs = (averageSpeedKmph / 3600) * speedFactor;
  const distanceM = (source: Place, target: Place): number => greatCircleM(source, target) * streetFactor;
  return {
    distanceM,
    durationMs: (source, target) => Math.ceil(distanceM(source, target) / metresPerMs),
    reachM: (durationMs) => (Math.max(0, durationMs) * metresPerMs) / streetFactor,
  };
}
