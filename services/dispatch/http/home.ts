/**
 * What is not here but may be with the peer.
 *
 * Invariant: an id made by the peer that this region has not got is "not home", so that the router asks over there: a ride
 * booked there a moment ago is found although replication has not brought it yet. A request that the peer's router carried
 * here already is not sent back: what neither side has does not exist.
 */
import { unpackId } from '../../../shared/id/id-layout.ts';
import type { RegionName, Regions } from '../../../shared/kernel/region.ts';
import { isTandemError, TandemError } from '../../../shared/kernel/tandem-error.ts';

export type Here = { readonly region: RegionName; readonly regions: Regions };

/** Answers the error to throw in place of `e`. */
export function carryAbsent({ region, regions }: Here, e: unknown, from: { isForwarded: boolean }): unknown {
  if (!isTandemError(e, 'not-found') || from.isForwarded) return e;
  const { absentId } = e.details;
  if (typeof absentId !== 'string') return e;
  const origin = unpackId(BigInt(absentId)).region;
  const maker = regions.names.find((name) => regions.originOf(name) === origin);
  if (maker === undefined || maker === region) return e;
  return new TandemError('not-home', `${absentId} was made in ${maker} and is not here`, { cause: e, details: { home: maker } });
}
