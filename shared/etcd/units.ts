import type { LogSink } from '../kernel/log-sink.ts';
import type { RegionName, Regions } from '../kernel/region.ts';
import type { Etcd } from './etcd.ts';

export interface UnitHome {
  readonly home: RegionName;
  readonly epoch: number;
}

export interface UnitMap {
  homeOf(unit: number): UnitHome;
  isHome(unit: number): boolean;
  countByHome(): Record<string, number>;
  /** Throws not-home with details { unit, home, epoch }. */
  assertHome(unit: number): void;
  /** Calls back after each change, and once at once. */
  onChange(callback: () => void): void;
  stop(): void;
}

export async function seedUnits(_etcd: Etcd, _regions: Regions): Promise<void> {
  throw new Error('under way');
}

export async function watchUnits(_etcd: Etcd, _options: { readonly region: RegionName; readonly log: LogSink }): Promise<UnitMap> {
  throw new Error('under way');
}
