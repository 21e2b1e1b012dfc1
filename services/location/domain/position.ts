/**
 * A driver's place at a moment, and how far two places are apart.
 * Invariant: lat and lon are finite degrees in range; a driver id is the decimal text of a 64-bit id, because here it
 * is only ever a key (in maps, in Redis, on the wire), never a number to compute with.
 * It knows no cells (cells.ts) and no freshness (position-board.ts).
 */

export type Place = { readonly lat: number; readonly lon: number };

export type Position = Place & {
  readonly driverId: string;
  /** When the driver was there by the driver's clock, ms since 1970, never later than `seenMs`. */
  readonly atMs: number;
  /** When it reached Tandem, ms since 1970: freshness counts from here, so that a wrong phone clock ages nobody. */
  readonly seenMs: number;
};

/** Mean radius of the earth (IUGG). */
const EARTH_RADIUS_M = 6_371_008.8;
const RADIANS = Math.PI / 180;

/** Great-circle distance in metres by the haversine formula; good to 0.5 % against the ellipsoid. */
export function distanceM(a: Place, b: Place): number {
  const dLat = (b.lat - a.lat) * RADIANS;
  const dLon = (b.lon - a.lon) * RADIANS;
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a.lat * RADIANS) * Math.cos(b.lat * RADIANS) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

export function isPlace(place: { readonly lat: unknown; readonly lon: unknown }): place is Place {
  return isWithin(place.lat, 90) && isWithin(place.lon, 180);
}

function isWithin(degrees: unknown, limit: number): degrees is number {
  return typeof degrees === 'number' && Number.isFinite(degrees) && Math.abs(degrees) <= limit;
}
