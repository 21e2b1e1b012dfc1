/**
 * Units: the 64 logical slices of the traffic, and which of them a place or an account falls into.
 *
 * Invariant: the mapping is part of the stored data; it is the same in every region and never changes. Which region is
 * the home of a unit now is not known here (shared/etcd/units.ts), only which one it was at the beginning.
 */
import { latLngToCell } from 'h3-js';
import { assert } from '../kernel/assert.ts';
import { hash63 } from '../kernel/hash.ts';
import type { RegionName, Regions } from '../kernel/region.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import type { Place } from './place.ts';

export type Unit = number;

export const UNIT_COUNT = 64;
/** H3 cells of about 0.74 km², 0.53 km an edge (h3geo.org, table of cell statistics). */
export const ZONE_RESOLUTION = 8;

/** The H3 index of the zone around a place: 15 hexadecimal digits. Throws validation-failed off the globe. */
export function zoneOf({ lat, lon }: Place): string {
  const onGlobe = Math.abs(lat) <= 90 && Math.abs(lon) <= 180;
  if (!onGlobe) throw new TandemError('validation-failed', `no place on Earth: lat ${lat}, lon ${lon}`);
  return latLngToCell(lat, lon, ZONE_RESOLUTION);
}

/** A ride's unit comes from the zone of its pick-up. Throws validation-failed off the globe. */
export function unitOfPlace(place: Place): Unit {
  return unitOfZone(zoneOf(place));
}

/** @param zone as zoneOf gives it */
export function unitOfZone(zone: string): Unit {
  return unitOfHash(hash63('zone', zone));
}

/** An account's unit comes from the user's id. It is hashed: the low bits of generated ids are a sequence, mostly 0. */
export function unitOfAccount(id: bigint): Unit {
  return unitOfHash(hash63('account', id.toString()));
}

/** Two digits, as in the etcd keys: '07'. */
export function formatUnit(unit: Unit): string {
  assert(Number.isInteger(unit) && unit >= 0 && unit < UNIT_COUNT, `no such unit: ${unit}`);
  return String(unit).padStart(2, '0');
}

/** Reads what formatUnit wrote. Throws validation-failed. */
export function parseUnit(text: string): Unit {
  const unit = /^[0-9]{2}$/.test(text) ? Number(text) : UNIT_COUNT;
  if (unit >= UNIT_COUNT) throw new TandemError('validation-failed', `"${text}" is not a unit from 00 to 63`);
  return unit;
}

/** The home before anything has moved: even units to the first region, odd ones to the second, and so on round. */
export function initialHome(unit: Unit, regions: Pick<Regions, 'names'>): RegionName {
  return regions.names[unit % regions.names.length] as RegionName;
}

function unitOfHash(hash: bigint): Unit {
  return Number(hash % BigInt(UNIT_COUNT));
}
