/**
 * Cells around a place: the rings of H3 cells (resolution 8, some 460 m across a side) that a search walks outwards.
 * Invariant: a place that is in none of the rings 0…k is at least `ringFloorM(…, k + 1)` metres away from the origin, so
 * a search that found enough nearer ones may stop.
 * Time buckets are here too: a cell's drivers are kept per bucket, and a bucket expires whole, since members of a Redis
 * set have no lifetime of their own.
 */
import { cellToBoundary, cellToLatLng, gridRing } from 'h3-js';
import { greatCircleM } from '../../../shared/unit/place.ts';
import type { Place } from '../../../shared/unit/place.ts';
import { zoneOf } from '../../../shared/unit/unit.ts';

/** A position older than this is no longer told to anyone. */
export const FRESH_MS = 60_000;
/** A bucket's width; FRESH_MS is a multiple, so that a search reads FRESH_BUCKETS of them. */
export const BUCKET_MS = 30_000;
export const FRESH_BUCKETS = FRESH_MS / BUCKET_MS + 1;
/** Written at its very end, a bucket must still live for FRESH_MS. */
export const BUCKET_TTL_MS = BUCKET_MS + FRESH_MS;
/** H3's cells differ in size and shape over the globe and even between neighbours: the floor is taken lower by this. */
const SHAPE_MARGIN = 0.85;

export function cellOf(place: Place): string {
  return zoneOf(place);
}

export function bucketOf(ms: number): number {
  return Math.floor(ms / BUCKET_MS);
}

/** The cells exactly k steps from the origin cell. */
export function ringOf(origin: string, k: number): string[] {
  return gridRing(origin, k);
}

/**
 * A lower bound, in metres, of the distance between any place in the origin cell and any place in ring k.
 * In a regular grid of hexagons with circumradius r, ring k's cells begin r·(1.5k − 2) away (rings 0 and 1 touch the
 * origin, hence 0). r is measured on the origin cell itself.
 */
export function ringFloorM(origin: string, k: number): number {
  const [lat, lon] = cellToLatLng(origin);
  const corners = cellToBoundary(origin).map((corner) => greatCircleM({ lat, lon }, { lat: corner[0]!, lon: corner[1]! }));
  return Math.max(0, Math.min(...corners) * (1.5 * k - 2) * SHAPE_MARGIN);
}
