/**
 * A faithful small model of cdc/apply for one partition: batches of whole transactions, bulk or literal, rows set aside in
 * transactions of their own, the checkpoint moved by compare-and-set in the same transaction as the rows.
 *
 * Who wins is decided by the real cdc/resolve; only statements and connections are modelled.
 */
import { collisionVersion, decideCollision, isEndedBy, setAsideVersion } from '../../cdc/resolve/collision.ts';
import { conflictRow } from '../../cdc/resolve/conflict-row.ts';
import type { ConflictParts } from '../../cdc/resolve/conflict-row.ts';
import { needsImage, resolve } from '../../cdc/resolve/resolve.ts';
import type { LocalRow, Resolution } from '../../cdc/resolve/resolve.ts';
import type { Image } from '../../cdc/change/envelope.ts';
import { compareVersions } from '../../shared/clock/hlc.ts';
import { mergeIn, versionIn } from '../cdc/resolve/trigger-model.ts';
import { mergedGhost, NOTHING } from './ghost.ts';
import type { Ghost } from './ghost.ts';
import { Duplicate, bornText } from './model-database.ts';
import type { Grave, StoredRow } from './model-database.ts';
import type { Region, SimulatedChange } from './region.ts';
import { tableOf } from './tables.ts';

export type CrashPoint = 'none' | 'before-commit' | 'after-commit';

class Crash extends Error {}
class Collision extends Error {
  readonly change: SimulatedChange;
  readonly key: string;
  readonly row: StoredRow;

  constructor(change: SimulatedChange, key: string, row: StoredRow) {
    super(`collision on ${key}`);
    this.change = change;
    this.key = key;
    this.row = row;
  }
}

/** What a row has come to within a batch that is not written yet. */
interface RowState { readonly table: string; readonly id: string; row: StoredRow | undefined; grave: Grave | undefined; stood: boolean; isDirty: boolean; isGraveDirty: boolean; last: SimulatedChange }

const SET_ASIDES_MAX = 100;

export class ApplyModel {
  readonly #here: Region;
  readonly #peer: Region;
  readonly #partition: number;
  #next = 0;

  constructor(here: Region, peer: Region, partition: number) {
    this.#here = here;
    this.#peer = peer;
    this.#partition = partition;
  }

  get isBehind(): boolean {
    return (this.#here.database.checkpoints.get(this.#partition) ?? 0) < this.#log.length;
  }

  /** Forgets what it knew and asks the database. */
  restart(): void {
    this.#next = this.#here.database.checkpoints.get(this.#partition) ?? 0;
  }

  /** Writes up to `rows` changes, whole transactions where they fit. A crash leaves what a kill at that moment leaves. */
  step(options: { readonly rows: number; readonly isBulk: boolean; readonly crash: CrashPoint; readonly onRetry?: () => void }): void {
    const changes = this.#batch(options.rows);
    if (changes.length === 0) return;
    try {
      this.#write(changes, options);
      if (options.crash === 'after-commit') this.restart();
      else this.#next += changes.length;
    } catch (e) {
      if (!(e instanceof Crash)) throw e;
      this.restart();
    }
  }

  get #log(): readonly SimulatedChange[] {
    return this.#peer.topic[this.#partition]!;
  }

  #batch(rows: number): SimulatedChange[] {
    const all = this.#log.slice(this.#next, this.#next + rows);
    const whole = all.findLastIndex(({ last }) => last) + 1;
    // A transaction that is larger than a batch takes all it can, up to its own end.
    if (whole > 0) return all.slice(0, whole);
    const end = this.#log.findIndex(({ last }, i) => i >= this.#next && last);
    return end < 0 ? [] : this.#log.slice(this.#next, end + 1);
  }

  #write(changes: readonly SimulatedChange[], { isBulk, crash, onRetry }: { isBulk: boolean; crash: CrashPoint; onRetry?: () => void }): void {
    let mode = isBulk ? 'bulk' : 'literal';
    for (let tries = 0; tries < SET_ASIDES_MAX; tries += 1) {
      try {
        this.#here.database.transaction(() => {
          this.#moveCheckpoint(changes.length);
          if (mode === 'bulk') this.#bulk(changes);
          else for (const change of changes) this.#literal(change);
          if (crash === 'before-commit') throw new Crash();
        });
        return;
      } catch (e) {
        if (e instanceof Duplicate) mode = 'literal';
        else if (e instanceof Collision) this.#setAside(e);
        else throw e;
        onRetry?.();
      }
    }
    throw new Error('rows are set aside without end');
  }

  /** Another apply of this region may have been faster. */
  #moveCheckpoint(by: number): void {
    const { database } = this.#here;
    if ((database.checkpoints.get(this.#partition) ?? 0) !== this.#next) throw new Crash();
    database.checkpoint(this.#partition, this.#next + by);
  }

  #bulk(changes: readonly SimulatedChange[]): void {
    const { database } = this.#here;
    const states = new Map<string, RowState>();
    for (const change of changes) {
      const key = `${change.table}:${change.id}`;
      const state = states.get(key) ?? this.#load(change);
      states.set(key, state);
      this.#decide(state, change);
    }
    const dirty = [...states.values()].filter((state) => state.isDirty);
    for (const { table, id, row, stood } of dirty) if (row === undefined && stood) database.remove(table, id);
    for (const { table, id, grave, isGraveDirty, row } of states.values()) if (grave !== undefined && (isGraveDirty || row === undefined)) database.bury(table, id, grave);
    for (const { table, row, stood } of dirty) if (row !== undefined && stood) database.put(table, row);
    for (const { table, row, stood } of dirty) if (row !== undefined && !stood) database.put(table, row);
    for (const state of states.values()) if (!state.isDirty && state.row !== undefined) database.put(state.table, state.row);
  }

  #literal(change: SimulatedChange): void {
    const { database } = this.#here;
    const state = this.#load(change);
    this.#decide(state, change);
    const { table, id, row, grave } = state;
    if (row === undefined && state.stood) database.remove(table, id);
    if (grave !== undefined && (state.isGraveDirty || row === undefined)) database.bury(table, id, grave);
    try {
      if (row !== undefined) database.put(table, row);
    } catch (e) {
      throw e instanceof Duplicate ? new Collision(change, e.key, row as StoredRow) : e;
    }
  }

  #load(change: SimulatedChange): RowState {
    const { table, id } = change;
    const row = this.#here.database.row(table, id);
    return { table, id, row, grave: this.#here.database.grave(table, id), stood: row !== undefined, isDirty: false, isGraveDirty: false, last: change };
  }

  #decide(state: RowState, change: SimulatedChange): void {
    const { rules } = tableOf(state.table);
    const { row, grave } = state;
    const local: LocalRow = {
      version: row === undefined ? null : versionIn(row.image),
      // As apply does: a row that stands speaks louder.
      tombstone: row === undefined ? (grave?.version ?? null) : null,
      merge: row === undefined ? null : mergeIn(row.image),
    };
    const resolution = resolve(rules, change, needsImage(rules, change, local) ? { ...local, image: row?.image ?? null } : local);
    if (resolution.kind === 'conflict') this.#note(state, change, resolution);
    const image = resolution.kind === 'apply' || resolution.kind === 'conflict' ? resolution.image : undefined;
    const ghost = this.#ghostOf(state, change, image);
    state.last = change;
    if (image === undefined) {
      if (row !== undefined) state.row = { image: row.image, ghost };
      else if (change.op === 'd' && grave !== undefined) state.grave = { version: grave.version, all: ghost.all };
      return;
    }
    state.isDirty = true;
    if (image !== null) {
      state.row = { image, ghost };
      return;
    }
    state.row = undefined;
    state.grave = { version: change.version, all: ghost.all };
    state.isGraveDirty = true;
  }

  /** Of what stands (or lies) here afterwards. `image` as a resolution has it: undefined leaves what is. */
  #ghostOf({ table, row, grave }: RowState, change: SimulatedChange, image: Image | null | undefined): Ghost {
    const { rules: { merge } } = tableOf(table);
    const buried = grave?.all ?? 0n;
    if (row === undefined) {
      // Both deleted it, or it was inserted anew above its tombstone: no two wishes collide.
      if (change.op === 'd') return { ...change.ghost, all: change.ghost.all | buried };
      return change.op === 'u' && merge === null ? change.ghost : { ...change.ghost, buried: change.ghost.buried | buried };
    }
    if (image === null) return { ...change.ghost, all: change.ghost.all | row.ghost.buried };
    const isOneBirth = merge !== null && change.after !== null && bornText(change.after) === bornText(row.image);
    if (merge !== null && isOneBirth) return mergedGhost(merge, image ?? row.image, [row, { image: change.after as Image, ghost: change.ghost }]);
    if (image !== undefined) return { ...change.ghost, buried: change.ghost.buried | row.ghost.buried };
    // In a merged table a delete of an earlier birth has nothing against this one.
    return merge !== null && change.op === 'd' ? { ...row.ghost, buried: row.ghost.buried | change.ghost.all } : row.ghost;
  }

  #note({ row, grave }: RowState, change: SimulatedChange, { conflict, rule, outcome, local, remote }: Extract<Resolution, { kind: 'conflict' }>): void {
    const ours = row?.ghost ?? { ...NOTHING, all: grave?.all ?? 0n };
    this.#record(outcome === 'kept-local' ? [change.ghost] : outcome === 'merged' ? [ours, change.ghost] : [ours], {
      table: change.table, rowId: change.id, unit: change.unit, kind: conflict, rule, outcome, local, remote,
      localImage: row?.image ?? null, remoteImage: change.after ?? change.before,
    });
  }

  #record(lost: readonly Ghost[], parts: ConflictParts): void {
    this.#here.database.note(conflictRow(parts), lost);
  }

  /** A transaction of this region's own: what it deletes travels. */
  #setAside({ change, key, row: incoming }: Collision): void {
    const { database } = this.#here;
    const { table } = change;
    const { rules } = tableOf(table);
    const holder = [...database.rows(table)].find(([id, { image }]) => id !== change.id && image[key] === incoming.image[key]);
    if (holder === undefined) return;
    const [standingId, standing] = holder;
    const birthOf = ({ image }: StoredRow): ReturnType<typeof versionIn> => collisionVersion(rules, { version: versionIn(image), merge: mergeIn(image) });
    const { loser } = decideCollision({ id: change.id, version: birthOf(incoming) }, { id: standingId, version: birthOf(standing) });
    const lost = loser === 'incoming' ? { id: change.id, row: incoming } : { id: standingId, row: standing };
    const version = setAsideVersion(birthOf(lost.row));
    const here = database.row(table, lost.id);
    if (here !== undefined && !isEndedBy(version, rules, { version: versionIn(here.image), merge: mergeIn(here.image) })) return;
    const grave = database.grave(table, lost.id);
    this.#here.transaction(() => {
      const all = lost.row.ghost.all | lost.row.ghost.buried | (grave?.all ?? 0n);
      if (grave === undefined || compareVersions(grave.version, version) < 0) database.bury(table, lost.id, { version, all });
      if (here !== undefined) database.remove(table, lost.id);
      const unit = Number(lost.row.image['unit']);
      this.#record([lost.row.ghost], {
        table, rowId: lost.id, otherRowId: loser === 'incoming' ? standingId : change.id, unit, kind: 'unique', rule: 'unique', outcome: 'set-aside',
        local: versionIn(standing.image), remote: change.version, localImage: standing.image, remoteImage: incoming.image,
      });
      if (loser === 'incoming' && here !== undefined) this.#noteDisplaced(change, here);
      this.#here.record({ op: 'd', table, id: lost.id, unit, version, before: here?.image ?? null, after: null, ghost: { ...NOTHING, all } });
    });
  }

  /** The change beats a write made here that it had not seen, and then loses to another row. */
  #noteDisplaced(change: SimulatedChange, here: StoredRow): void {
    const { rules } = tableOf(change.table);
    const resolution = resolve(rules, change, { version: versionIn(here.image), tombstone: null, merge: mergeIn(here.image), image: here.image });
    if (resolution.kind !== 'conflict' || resolution.image === undefined) return;
    const { conflict: kind, rule, outcome, local, remote } = resolution;
    this.#record([here.ghost], { table: change.table, rowId: change.id, unit: change.unit, kind, rule, outcome, local, remote, localImage: here.image, remoteImage: change.after });
  }
}
