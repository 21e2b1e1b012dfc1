/**
 * How long it takes and how far it is from place to place: the port TravelModel, and the model that needs no map,
 * great-circle distance × a street factor at an average speed.
 *
 * Invariant: durations are whole milliseconds, never negative, and obey the triangle inequality, so that an inserted stop
 * never makes a route faster. It knows no traffic and no streets; a street graph or a table fetched ahead fits the port.
 */

/** Degrees, WGS 84. */
export type Place = { readonly lat: number; readonly lon: number };

export interface TravelModel {
  /** Metres to drive. */
  distanceM(source: Place, target: Place): number;
  /** Whole milliseconds to drive, on the clock that promises are measured with. */
  durationMs(source: Place, target: Place): number;
  /** Metres as the crow flies beyond which nothing can be reached in that time: a true bound, for prescreening. */
  reachM(durationMs: number): number;
}

/** Mean radius of the Earth, IUGG 1980. */
const EARTH_RADIUS_M = 6_371_008.8;
const RADIANS_PER_DEGREE = Math.PI / 180;

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

/** Haversine (R. W. Sinnott, 1984): exact enough at any distance, and stable at short ones. */
export function greatCircleM(source: Place, target: Place): number {
  const sinLat = Math.sin(((target.lat - source.lat) * RADIANS_PER_DEGREE) / 2);
  const sinLon = Math.sin(((target.lon - source.lon) * RADIANS_PER_DEGREE) / 2);
  const cosines = Math.cos(source.lat * RADIANS_PER_DEGREE) * Math.cos(target.lat * RADIANS_PER_DEGREE);
  const haversine = sinLat * sinLat + cosines * sinLon * sinLon;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(Math.min(1, haversine)));
}
