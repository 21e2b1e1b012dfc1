/**
 * The regions of a deployment and their origin numbers, as every process is told them ("east=1,west=2").
 *
 * Invariant: names and origins are unique, and an origin fits the four region bits of an id. Which region is healthy or
 * home of what is not known here.
 */
import { TandemError } from './tandem-error.ts';

export type RegionName = string;

export const REGION_COUNT_MIN = 2;
/** Four bits in an id; 0 stays free, so that a row version without origin is never mistaken for a region's. */
export const ORIGIN_MAX = 15;

const ENTRY = /^(?<name>[a-z][a-z0-9-]{0,31})=(?<origin>[1-9][0-9]?)$/;

export class Regions {
  /** In the order of the configuration: the first is the home of the even units, the second of the odd ones. */
  readonly names: readonly RegionName[];
  readonly #originByName: ReadonlyMap<RegionName, number>;
  readonly #nameByOrigin: ReadonlyMap<number, RegionName>;

  /** Parses "east=1,west=2". Throws config-invalid. */
  static parse(text: string): Regions {
    const originByName = new Map<RegionName, number>();
    for (const entry of text.split(',')) {
      const { name, origin } = ENTRY.exec(entry.trim())?.groups ?? {};
      if (name === undefined) throw invalid(text, `"${entry}" is not <name>=<origin>`);
      if (Number(origin) > ORIGIN_MAX) throw invalid(text, `origin ${origin} is above ${ORIGIN_MAX}`);
      if (originByName.has(name)) throw invalid(text, `region ${name} is named twice`);
      originByName.set(name, Number(origin));
    }
    if (originByName.size < REGION_COUNT_MIN) throw invalid(text, `at least ${REGION_COUNT_MIN} regions are needed`);
    if (new Set(originByName.values()).size < originByName.size) throw invalid(text, 'two regions share an origin');
    return new Regions(originByName);
  }

  private constructor(originByName: ReadonlyMap<RegionName, number>) {
    this.names = [...originByName.keys()];
    this.#originByName = originByName;
    this.#nameByOrigin = new Map([...originByName].map(([name, origin]) => [origin, name]));
  }

  has(name: string): boolean {
    return this.#originByName.has(name);
  }

  /** Throws region-unknown. */
  originOf(name: RegionName): number {
    const origin = this.#originByName.get(name);
    if (origin === undefined) throw unknownRegion(`region ${name}`, this);
    return origin;
  }

  /** Throws region-unknown. */
  nameOf(origin: number): RegionName {
    const name = this.#nameByOrigin.get(origin);
    if (name === undefined) throw unknownRegion(`origin ${origin}`, this);
    return name;
  }

  /** The other region; with more than two, the next one in a ring. Throws region-unknown. */
  peerOf(name: RegionName): RegionName {
    this.originOf(name);
    return this.names[(this.names.indexOf(name) + 1) % this.names.length] as RegionName;
  }

  /** The text that parse reads. */
  toString(): string {
    return [...this.#originByName].map(([name, origin]) => `${name}=${origin}`).join(',');
  }
}

function invalid(text: string, why: string): TandemError {
  return new TandemError('config-invalid', `regions "${text}": ${why}`);
}

function unknownRegion(what: string, regions: Regions): TandemError {
  return new TandemError('region-unknown', `${what} is not one of ${regions}`);
}
