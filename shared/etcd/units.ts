/**
 * Which region is the home of each unit now: /tandem/units/<00-63> = {"home": region, "epoch": n}.
 *
 * Invariant: as seen by one process, the epoch of a unit never goes down, whatever etcd is made to say. A unit whose key
 * is missing or unreadable keeps the last good home it had; at start all 64 must be there.
 *
 * HAZARD: this is a view, some ms old, or minutes during a partition. isHome() routes requests and refuses early; what
 * makes a write safe is the fence at the database and the region's lease, never this map.
 */
import type { LogSink } from '../kernel/log-sink.ts';
import type { RegionName, Regions } from '../kernel/region.ts';
import { assert } from '../kernel/assert.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import { UNIT_COUNT, formatUnit, initialHome, parseUnit } from '../unit/unit.ts';
import type { Unit } from '../unit/unit.ts';
import type { Etcd } from './etcd.ts';
import { parseJsonValue } from './json-value.ts';

export const UNITS_PREFIX = '/tandem/units/';

export interface UnitHome {
  readonly home: RegionName;
  /** Grows by one each time the home changes. */
  readonly epoch: number;
}

export interface UnitMap {
  homeOf(unit: Unit): UnitHome;
  isHome(unit: Unit): boolean;
  countByHome(): Record<RegionName, number>;
  /** Throws not-home with details { unit, home, epoch }. */
  assertHome(unit: Unit): void;
  /** Calls back after every change of a home or an epoch. */
  onChange(callback: () => void): void;
  /** How old the view is. */
  staleMs(): number;
  stop(): void;
}

export function unitKey(unit: Unit): string {
  return `${UNITS_PREFIX}${formatUnit(unit)}`;
}

export function formatUnitHome({ home, epoch }: UnitHome): string {
  return JSON.stringify({ home, epoch });
}

/** Throws validation-failed. */
export function parseUnitHome(key: string, text: string): UnitHome {
  return parseJsonValue(key, text, (raw) => {
    const { home, epoch } = raw as Partial<UnitHome>;
    if (typeof home !== 'string' || home === '') throw new TypeError('home is no region name');
    if (!Number.isSafeInteger(epoch) || (epoch as number) < 1) throw new TypeError('epoch is no positive integer');
    return { home, epoch: epoch as number };
  });
}

/** Gives each unit that has none its first home, epoch 1. Safe to run from several processes at once. */
export async function seedUnits(etcd: Etcd, regions: Pick<Regions, 'names'>): Promise<void> {
  const known = await etcd.getPrefix(UNITS_PREFIX);
  const missing = Array.from({ length: UNIT_COUNT }, (_, unit) => unit).filter((unit) => !known.has(unitKey(unit)));
  // All seeders write the same value, so it does not matter which of them wins. One at a time: a burst of 64 writes is the
  // first thing a cluster that has just elected its leader would see.
  for (const unit of missing) await etcd.compareAndSwap(unitKey(unit), 0n, formatUnitHome({ home: initialHome(unit, regions), epoch: 1 }));
}

/** Resolves once all units are known; throws not-ready where some have never been seeded. */
export async function watchUnits(etcd: Etcd, { region, log }: { readonly region: RegionName; readonly log: LogSink }): Promise<UnitMap> {
  const units = new WatchedUnits(region, log);
  const watch = await etcd.watchPrefix(UNITS_PREFIX, (snapshot) => units.update(snapshot));
  units.attach(watch);
  const missing = units.missing();
  if (missing.length > 0) {
    watch.stop();
    throw new TandemError('not-ready', `no home is known for the units ${missing.map(formatUnit).join(', ')}`, { details: { missing } });
  }
  return units;
}

class WatchedUnits implements UnitMap {
  readonly #region: RegionName;
  readonly #log: LogSink;
  readonly #homes = new Map<Unit, UnitHome>();
  readonly #callbacks: (() => void)[] = [];
  #watch: { staleMs(): number; stop(): void } | undefined;

  constructor(region: RegionName, log: LogSink) {
    this.#region = region;
    this.#log = log;
  }

  homeOf(unit: Unit): UnitHome {
    const home = this.#homes.get(unit);
    assert(home !== undefined, `no such unit: ${unit}`);
    return home;
  }

  isHome(unit: Unit): boolean {
    return this.homeOf(unit).home === this.#region;
  }

  countByHome(): Record<RegionName, number> {
    const counts: Record<RegionName, number> = {};
    for (const { home } of this.#homes.values()) counts[home] = (counts[home] ?? 0) + 1;
    return counts;
  }

  assertHome(unit: Unit): void {
    const { home, epoch } = this.homeOf(unit);
    if (home === this.#region) return;
    throw new TandemError('not-home', `unit ${formatUnit(unit)} is at home in ${home}, not in ${this.#region}`, { details: { unit, home, epoch } });
  }

  onChange(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  staleMs(): number {
    return this.#watch?.staleMs() ?? 0;
  }

  stop(): void {
    this.#watch?.stop();
  }

  attach(watch: { staleMs(): number; stop(): void }): void {
    this.#watch = watch;
  }

  missing(): Unit[] {
    return Array.from({ length: UNIT_COUNT }, (_, unit) => unit).filter((unit) => !this.#homes.has(unit));
  }

  update(snapshot: ReadonlyMap<string, string>): void {
    let hasChanged = false;
    for (const [key, text] of snapshot) hasChanged = this.#updateOne(key, text) || hasChanged;
    if (!hasChanged) return;
    for (const callback of this.#callbacks) callback();
  }

  /** True where something changed. */
  #updateOne(key: string, text: string): boolean {
    try {
      const unit = parseUnit(key.slice(UNITS_PREFIX.length));
      const next = parseUnitHome(key, text);
      const last = this.#homes.get(unit);
      if (last?.home === next.home && last.epoch === next.epoch) return false;
      if (last !== undefined && next.epoch <= last.epoch) {
        throw new TandemError('validation-failed', `etcd key ${key} went from epoch ${last.epoch} to ${next.epoch}, which no switch does`);
      }
      this.#homes.set(unit, next);
      return true;
    } catch (e) {
      this.#log.error({ err: e, key }, 'etcd: a unit keeps its last good home');
      return false;
    }
  }
}
