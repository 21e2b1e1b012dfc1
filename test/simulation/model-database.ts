/**
 * A database in memory: rows, tombstones, conflicts, checkpoints; unique keys that refuse; transactions that roll back.
 *
 * Transactions run one after the other: what apply reads it locks, so real ones are as good as serial for these rows.
 */
import type { ConflictRow } from '../../cdc/resolve/conflict-row.ts';
import type { Image } from '../../cdc/change/envelope.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import { rankOf } from '../../shared/schema/conflict-rules.ts';
import { bornOf, formatVersion } from '../../cdc/resolve/merge-state.ts';
import { mergeIn, versionIn } from '../cdc/resolve/trigger-model.ts';
import type { Ghost } from './ghost.ts';
import { TABLES, tableOf } from './tables.ts';

export interface StoredRow { readonly image: Image; readonly ghost: Ghost }
export interface Grave { readonly version: Version; readonly all: bigint }
/** `lost`: what the images of the losing side really contained. */
export interface ConflictRecord { readonly row: ConflictRow; readonly lost: readonly Ghost[] }

/** A row that has the value already. */
export class Duplicate extends Error {
  readonly key: string;
  readonly holder: string;

  constructor(key: string, holder: string) {
    super(`duplicate ${key}, held by ${holder}`);
    this.key = key;
    this.holder = holder;
  }
}

export class ModelDatabase {
  readonly #rows = new Map([...TABLES.keys()].map((table) => [table, new Map<string, StoredRow>()]));
  readonly #graves = new Map<string, Grave>();
  readonly conflicts = new Map<bigint, ConflictRecord>();
  readonly checkpoints = new Map<number, number>();
  #undo: (() => void)[] = [];
  /** States and extremes that went back, which must never be. */
  readonly stepsBack: string[] = [];

  transaction<T>(work: () => T): T {
    this.#undo = [];
    try {
      return work();
    } catch (e) {
      for (const undo of this.#undo.toReversed()) undo();
      throw e;
    } finally {
      this.#undo = [];
    }
  }

  row(table: string, id: string): StoredRow | undefined {
    return this.#of(table).get(id);
  }

  rows(table: string): ReadonlyMap<string, StoredRow> {
    return this.#of(table);
  }

  grave(table: string, id: string): Grave | undefined {
    return this.#graves.get(`${table}:${id}`);
  }

  /** Throws Duplicate. */
  put(table: string, row: StoredRow): void {
    const id = String(row.image['id']);
    const rows = this.#of(table);
    for (const key of tableOf(table).uniqueKeys) {
      const value = row.image[key] ?? null;
      if (value === null) continue;
      for (const [other, { image }] of rows) if (other !== id && image[key] === value) throw new Duplicate(key, other);
    }
    const old = rows.get(id);
    this.#watch(table, old?.image, row.image);
    rows.set(id, row);
    this.#undo.push(() => void (old === undefined ? rows.delete(id) : rows.set(id, old)));
  }

  remove(table: string, id: string): void {
    const rows = this.#of(table);
    const old = rows.get(id);
    if (old === undefined) return;
    rows.delete(id);
    this.#undo.push(() => void rows.set(id, old));
  }

  bury(table: string, id: string, grave: Grave): void {
    this.#set(this.#graves, `${table}:${id}`, grave);
  }

  note(row: ConflictRow, lost: readonly Ghost[]): void {
    if (!this.conflicts.has(row.id)) this.#set(this.conflicts, row.id, { row, lost });
  }

  checkpoint(partition: number, offset: number): void {
    this.#set(this.checkpoints, partition, offset);
  }

  #of(table: string): Map<string, StoredRow> {
    return this.#rows.get(table)!;
  }

  #set<K, V>(map: Map<K, V>, key: K, value: V): void {
    const old = map.get(key);
    map.set(key, value);
    this.#undo.push(() => void (old === undefined ? map.delete(key) : map.set(key, old)));
  }

  /** Within one birth of a row. */
  #watch(table: string, old: Image | undefined, image: Image): void {
    const { merge } = tableOf(table).rules;
    if (merge === null || old === undefined || bornText(old) !== bornText(image)) return;
    for (const group of merge.groups) {
      const isBack = (group.rule === 'state-machine' && rankOf(group, image[group.column]) < rankOf(group, old[group.column]))
        || (group.rule === 'max' && Number(image[group.column] ?? -1) < Number(old[group.column] ?? -1))
        || (group.rule === 'min' && Number(image[group.column] ?? 1e9) > Number(old[group.column] ?? 1e9));
      if (isBack) this.stepsBack.push(`${table} ${String(image['id'])}: ${group.name} went back`);
    }
  }
}

export function birthOf(image: Image): Version {
  return bornOf(mergeIn(image), versionIn(image));
}

export function bornText(image: Image): string {
  return formatVersion(birthOf(image));
}
