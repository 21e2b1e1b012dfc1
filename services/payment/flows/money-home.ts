/**
 * Where money may be written, and what to say of a ride this region does not have.
 * Invariant: a money write is decided on before anything is written, here or anywhere: either the payer's unit is at
 * home here, or the caller is told which region is (cross-region-write). Money is never carried to the peer for them.
 */
import { unpackId } from '../../../shared/id/id-layout.ts';
import type { RegionName, Regions } from '../../../shared/kernel/region.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Unit } from '../../../shared/unit/unit.ts';

export type Whereabouts = {
  readonly region: RegionName;
  readonly regions: Regions;
  readonly units: { homeOf(unit: Unit): { readonly home: RegionName } };
};

/** Throws cross-region-write naming the home (details.home) where that is not here. */
export function assertMoneyHome(unit: Unit, { region, units }: Whereabouts): void {
  const { home } = units.homeOf(unit);
  if (home === region) return;
  throw new TandemError('cross-region-write', `money of this account is written in ${home} only; nothing was written here`, {
    details: { home, unit },
  });
}

/**
 * The error for a ride that is not in this region's database: not-home (details.home) where its id was issued in the
 * other region, as it may not have been replicated yet; not-found else, and for a request that the other region's
 * router has carried here already: what neither side has does not exist.
 */
export function missingRide(rideId: bigint, { region, regions }: Whereabouts, from: { readonly isForwarded: boolean }): TandemError {
  const home = issuerOf(rideId, regions);
  if (home !== undefined && home !== region && !from.isForwarded) {
    return new TandemError('not-home', `ride ${rideId} was created in ${home} and is not here yet`, { details: { home } });
  }
  return new TandemError('not-found', `there is no ride ${rideId}`, { details: { rideId: String(rideId) } });
}

/** Any 63-bit number has region bits; those of a region nobody configured name nobody. */
function issuerOf(id: bigint, regions: Regions): RegionName | undefined {
  const origin = unpackId(id).region;
  return regions.names.find((name) => regions.originOf(name) === origin);
}
