/**
 * A driver's place at a moment.
 * Invariant: lat and lon are finite degrees in range; a driver id is the decimal text of a 64-bit id, because here it
 * is only ever a key (in maps, in Redis, on the wire), never a number to compute with.
 * It knows no cells (cells.ts) and no freshness (position-board.ts).
 */
import type { Place } from '../../../shared/unit/place.ts';

export type Position = Place & {
  readonly driverId: string;
  /** When the driver was there by the driver's clock, ms since 1970, never later than `seenMs`. */
  readonly atMs: number;
  /** When it reached Tandem, ms since 1970: freshness counts from here, so that a wrong phone clock ages nobody. */
  readonly seenMs: number;
};

export function isPlace(place: { readonly lat: unknown; readonly lon: unknown }): place is Place {
  return isWithin(place.lat, 90) && isWithin(place.lon, 180);
}

function isWithin(degrees: unknown, limit: number): degrees is number {
  return typeof degrees === 'number' && Number.isFinite(degrees) && Math.abs(degrees) <= limit;
}
