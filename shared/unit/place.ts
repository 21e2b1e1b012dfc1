/**
 * A place on Earth, and how far two of them are apart as the crow flies. It knows no zones (unit.ts) and no streets.
 */

/** Degrees, WGS 84. */
export interface Place {
  readonly lat: number;
  readonly lon: number;
}

/** Mean radius of the Earth, IUGG 1980. */
const EARTH_RADIUS_M = 6_371_008.8;
const RADIANS_PER_DEGREE = Math.PI / 180;

/** Metres by the haversine formula (R. W. Sinnott, 1984): stable at short distances, within 0.5 % of the ellipsoid at any. */
export function greatCircleM(source: Place, target: Place): number {
  const sinLat = Math.sin(((target.lat - source.lat) * RADIANS_PER_DEGREE) / 2);
  const sinLon = Math.sin(((target.lon - source.lon) * RADIANS_PER_DEGREE) / 2);
  const cosines = Math.cos(source.lat * RADIANS_PER_DEGREE) * Math.cos(target.lat * RADIANS_PER_DEGREE);
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(Math.min(1, sinLat * sinLat + cosines * sinLon * sinLon)));
}
