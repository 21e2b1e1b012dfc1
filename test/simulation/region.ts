/**
 * One simulated region: its database and clock, what people write there, its binlog and its capture.
 *
 * Local writes are stamped by the model of the triggers; capture sends the binlog to a topic, partitioned by unit, and sends
 * some of it again after a crash, as the real one does.
 */
import type { Change, Image, Operation } from '../../cdc/change/envelope.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import { REST_GROUP } from '../../shared/schema/conflict-rules.ts';
import type { Group } from '../../shared/schema/conflict-rules.ts';
import { inserted, tombstoneOf, updated, versionIn } from '../cdc/resolve/trigger-model.ts';
import type { Stamp } from '../cdc/resolve/trigger-model.ts';
import { NOTHING, writtenGhost } from './ghost.ts';
import type { Ghost } from './ghost.ts';
import { bornText, ModelDatabase } from './model-database.ts';
import { tableOf } from './tables.ts';

export const PARTITIONS = 2;

export interface SimulatedChange extends Change { readonly ghost: Ghost }

/** One acknowledged write of one row. */
export interface Write {
  readonly bit: bigint;
  readonly region: string;
  readonly table: string;
  readonly id: string;
  readonly kind: 'insert' | 'update' | 'delete';
  readonly version: Version;
  /** Groups whose values it changed. */
  readonly groups: readonly string[];
  readonly born: string | null;
  readonly before: Image | null;
  readonly after: Image | null;
}

/** A number that grows with simulated time, and how far this region's clock is off. */
export class Clock {
  #offsetMs = 0;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  step(ms: number): void {
    this.#offsetMs += ms;
  }

  get hlc(): bigint {
    return BigInt(Math.max(1, 1_000 + this.#now() + this.#offsetMs)) << 16n;
  }
}

export class Region {
  readonly name: string;
  readonly origin: number;
  readonly clock: Clock;
  readonly database = new ModelDatabase();
  readonly topic: SimulatedChange[][] = Array.from({ length: PARTITIONS }, () => []);
  /** Of both regions. */
  readonly writes: Write[];
  #binlog: SimulatedChange[][] = [];
  #sent = 0;
  #open: { changes: SimulatedChange[]; writes: Write[] } = { changes: [], writes: [] };

  constructor(name: string, origin: number, now: () => number, writes: Write[]) {
    this.name = name;
    this.origin = origin;
    this.clock = new Clock(now);
    this.writes = writes;
  }

  /** Runs statements; what they throw rolls all of them back. */
  transaction(work: () => void): void {
    this.#open = { changes: [], writes: [] };
    this.database.transaction(work);
    this.writes.push(...this.#open.writes);
    if (this.#open.changes.length > 0) this.#binlog.push(this.#open.changes);
  }

  /** Throws Duplicate. */
  insert(table: string, row: Image): void {
    const { rules } = tableOf(table);
    const id = String(row['id']);
    const grave = this.database.grave(table, id);
    const image = inserted(rules, row, this.#stamp, grave?.version ?? null);
    this.#put(table, { kind: 'insert', op: 'c', image, before: null, known: { ...NOTHING, buried: grave?.all ?? 0n } });
  }

  /** Throws Duplicate and Refused. */
  update(table: string, id: string, set: Image): void {
    const { rules } = tableOf(table);
    const old = this.database.row(table, id);
    if (old === undefined) return;
    const target = String(set['id'] ?? id);
    const grave = target === id ? undefined : this.database.grave(table, target);
    const image = updated(rules, old.image, set, this.#stamp, grave?.version ?? null);
    if (target === id) {
      this.#put(table, { kind: 'update', op: 'u', image, before: old.image, known: old.ghost });
      return;
    }
    if (this.database.row(table, target) !== undefined) return;
    this.delete(table, id);
    this.#put(table, { kind: 'insert', op: 'c', image, before: null, known: { ...NOTHING, buried: grave?.all ?? 0n } });
  }

  delete(table: string, id: string): void {
    const old = this.database.row(table, id);
    if (old === undefined) return;
    const grave = this.database.grave(table, id);
    const version = tombstoneOf(old.image, this.#stamp, grave?.version ?? null);
    const bit = this.#bit();
    const all = old.ghost.all | old.ghost.buried | (grave?.all ?? 0n) | bit;
    this.database.remove(table, id);
    this.database.bury(table, id, { version, all });
    this.#open.writes.push({ bit, region: this.name, table, id, kind: 'delete', version, groups: [], born: null, before: old.image, after: null });
    this.record({ op: 'd', table, id, unit: Number(old.image['unit']), version, before: old.image, after: null, ghost: { ...NOTHING, all } });
  }

  /** What a snapshot reads: every row as it stands, into the topic behind everything that was sent. */
  snapshot(table: string): void {
    this.sendAll();
    for (const [id, { image, ghost }] of this.database.rows(table)) {
      const change = this.#changeOf({ op: 'r', table, id, unit: Number(image['unit']), version: versionIn(image), before: null, after: image, ghost });
      this.topic[change.unit % PARTITIONS]!.push({ ...change, last: true });
    }
  }

  /** A row event of the transaction that is open. */
  record(parts: Pick<SimulatedChange, 'op' | 'table' | 'id' | 'unit' | 'version' | 'before' | 'after' | 'ghost'>): void {
    this.#open.changes.push(this.#changeOf(parts));
  }

  get hasUnsent(): boolean {
    return this.#sent < this.#binlog.length;
  }

  /** The next transaction of the binlog goes out, the last change of each partition marked. */
  send(): void {
    const changes = this.#binlog[this.#sent];
    if (changes === undefined) return;
    this.#sent += 1;
    for (const [partition, log] of this.topic.entries()) {
      const its = changes.filter((change) => change.unit % PARTITIONS === partition);
      log.push(...its.map((change, i) => ({ ...change, last: i === its.length - 1 })));
    }
  }

  sendAll(): void {
    while (this.hasUnsent) this.send();
  }

  /** Capture died: it does not know what Kafka had of its last transactions, and sends them again. */
  crashCapture(again: number): void {
    this.#sent = Math.max(0, this.#sent - again);
  }

  get #stamp(): Stamp {
    return { clock: this.clock.hlc, origin: this.origin };
  }

  #bit(): bigint {
    return 1n << BigInt(this.writes.length + this.#open.writes.length);
  }

  #put(table: string, { kind, op, image, before, known }: { kind: Write['kind']; op: Operation; image: Image; before: Image | null; known: Ghost }): void {
    const { rules: { merge } } = tableOf(table);
    const id = String(image['id']);
    const bit = this.#bit();
    const ghost = writtenGhost(merge, known, bit);
    const version = versionIn(image);
    this.database.put(table, { image, ghost });
    const groups = merge === null ? [] : [...merge.groups, null].map((group) => nameIf(group, before, image)).filter((name) => name !== null);
    this.#open.writes.push({ bit, region: this.name, table, id, kind, version, groups, born: bornText(image), before, after: image });
    this.record({ op, table, id, unit: Number(image['unit']), version, before, after: image, ghost });
  }

  #changeOf(parts: Pick<SimulatedChange, 'op' | 'table' | 'id' | 'unit' | 'version' | 'before' | 'after' | 'ghost'>): SimulatedChange {
    return {
      ...parts, tsMs: 0, last: false, position: '',
      source: { region: this.name, database: 'tandem', serverId: this.origin, gtid: '', file: '', pos: 0, row: 0 },
      transaction: { id: '', order: 0, tableOrder: 0 },
    };
  }
}

const RESTED = ['unit', 'code', 'text'] as const;

/** The group's name where the write changed it; null stands for `rest`. */
function nameIf(group: Group | null, before: Image | null, after: Image): string | null {
  const columns: readonly string[] = group === null ? RESTED : group.rule === 'lww' || group.rule === 'state-machine' ? group.columns : [group.column];
  const isChanged = before === null || columns.some((column) => before[column] !== after[column]);
  return isChanged ? (group?.name ?? REST_GROUP) : null;
}
