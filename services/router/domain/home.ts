/**
 * Where the home of a request's unit probably is: from the pick-up zone, the caller's account, what was learned of a ride,
 * or the region written into an id.
 *
 * Invariant: a guess, never an authority. The service that is asked checks the home itself before it writes.
 */
import type { RegionName, Regions } from '../../../shared/kernel/region.ts';
import { parseId, unpackId } from '../../../shared/id/id-layout.ts';
import { unitOfAccount, unitOfPlace } from '../../../shared/unit/unit.ts';
import type { LearnedUnits } from './learned-units.ts';
import type { Side } from './placement.ts';
import type { Route } from './route-table.ts';

export interface HomeFinderDeps {
  readonly region: RegionName;
  readonly regions: Regions;
  /** The home as etcd has it; throws or returns undefined while unknown. */
  readonly homeOfUnit: (unit: number) => RegionName | undefined;
  readonly learned: LearnedUnits;
}

export interface HomeClues {
  readonly route: Pick<Route, 'unitFrom'>;
  readonly id: string | undefined;
  readonly body: Buffer | null;
  /** From a verified token. */
  readonly accountId: bigint | undefined;
}

export class HomeFinder {
  readonly #deps: HomeFinderDeps;

  constructor(deps: HomeFinderDeps) {
    this.#deps = deps;
  }

  /** The unit where the request tells it; see homeOf for rides, whose unit may have to be guessed from the id. */
  unitOf({ route, id, body, accountId }: HomeClues): number | undefined {
    switch (route.unitFrom) {
      case 'pickup': return unitOfPickup(body);
      case 'caller': return accountId === undefined ? undefined : unitOfAccount(accountId);
      case 'ride': return id === undefined ? undefined : this.#deps.learned.unitOf(id);
      case 'quote': return undefined;
    }
  }

  homeOf(clues: HomeClues): Side | undefined {
    const unit = this.unitOf(clues);
    const region = unit === undefined ? this.#regionWrittenIn(clues) : this.#deps.homeOfUnit(unit);
    if (region === undefined) return undefined;
    return region === this.#deps.region ? 'local' : 'peer';
  }

  /** An id carries the region that issued it, and a ride or quote is issued at its home: right until a unit moves. */
  #regionWrittenIn({ route, id, body }: HomeClues): RegionName | undefined {
    const text = route.unitFrom === 'ride' ? id : route.unitFrom === 'quote' ? parseJson(body)?.['quoteId'] : undefined;
    if (typeof text !== 'string') return undefined;
    try {
      return this.#deps.regions.nameOf(unpackId(parseId(text)).region);
    } catch {
      // Not an id of this deployment: the service will say so to the client, better than a router can.
      return undefined;
    }
  }
}

function unitOfPickup(body: Buffer | null): number | undefined {
  const pickup = parseJson(body)?.['pickup'];
  if (typeof pickup !== 'object' || pickup === null) return undefined;
  const { lat, lon } = pickup as Record<string, unknown>;
  if (typeof lat !== 'number' || typeof lon !== 'number' || Math.abs(lat) > 90 || Math.abs(lon) > 180) return undefined;
  return unitOfPlace({ lat, lon });
}

function parseJson(body: Buffer | null): Record<string, unknown> | undefined {
  if (body === null) return undefined;
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
