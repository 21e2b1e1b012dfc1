/**
 * One chunk of rows between its low and its high mark in the binlog (DBLog): what of it is to be sent, and when. Pure.
 *
 * Invariant: at the high mark the chunk's rows stand in the stream as they were then, less those that the log has told in
 * between. The log wins: a row that was written here since the low mark travels by itself. What apply wrote (its transactions
 * begin with _checkpoints and are not sent) is told by nobody, so its newer images take the place of what the chunk had read.
 * Rows are versioned, so that even a row which slipped through would be stale at the peer, never wrong.
 */
import { compareVersions } from '../../../shared/clock/hlc.ts';
import { CHECKPOINT_TABLE, SNAPSHOT_TABLE } from '../../../shared/schema/tables.ts';
import { columnsOf } from '../../change/encoded-image.ts';
import type { RowImage } from '../../change/encoded-image.ts';
import { partitionOf } from '../../change/envelope.ts';
import type { Change } from '../../change/envelope.ts';
import { idOf, unitOf, versionOf } from '../../change/image.ts';
import type { BinlogEvent, RowsEvent } from '../binlog-event.ts';

export interface Marks { readonly low: string; readonly high: string }

/** Ids above `afterId` (null: from the first) and up to `lastId`. */
export interface IdRange { readonly afterId: string | null; readonly lastId: string }

export interface Chunk {
  readonly rows: readonly RowImage[];
  /** source.schema of its changes. */
  readonly fingerprint: string;
}

export interface ChunkWindowOptions {
  readonly region: string;
  readonly database: string;
  readonly partitions: number;
  readonly marks: Marks;
  readonly table: string;
  readonly range: IdRange;
}

export interface RoutedRow { readonly partition: number; readonly change: Change<RowImage> }

export class ChunkWindow {
  readonly #options: ChunkWindowOptions;
  #state: 'before' | 'open' | 'closing' | 'closed' = 'before';
  /** Ids of the range that were written since the low mark: null where the log tells it, else what apply wrote. */
  readonly #seen = new Map<string, RowImage | 'gone' | null>();
  #chunk: Chunk | undefined;
  #isApplied: boolean | undefined;
  #gtid = '';
  #last: RowsEvent | undefined;

  constructor(options: ChunkWindowOptions) {
    this.#options = options;
  }

  /** What was read between the marks; to be handed in before the high mark is written. */
  load(chunk: Chunk): void {
    this.#chunk = chunk;
  }

  /** The chunk's changes once the high mark's transaction has ended, else undefined. Events come in binlog order. */
  accept(event: BinlogEvent): readonly RoutedRow[] | undefined {
    if (event.kind === 'begin') {
      this.#isApplied = undefined;
      this.#gtid = event.gtid;
    } else if (event.kind === 'rows') {
      this.#isApplied ??= event.table === CHECKPOINT_TABLE;
      if (event.table === SNAPSHOT_TABLE) this.#mark(event);
      else if (this.#state === 'open' && event.table === this.#options.table) this.#note(event);
    } else if (event.kind === 'commit' && this.#state === 'closing') {
      this.#state = 'closed';
      return this.#changes(event.position);
    }
    return undefined;
  }

  #mark(event: RowsEvent): void {
    const { low, high } = this.#options.marks;
    for (const { after } of event.rows) {
      const mark = after === null ? null : columnsOf(after)['mark'];
      if (mark === low && this.#state === 'before') this.#state = 'open';
      else if (mark === high && this.#state === 'open') {
        this.#state = 'closing';
        this.#last = event;
      }
    }
  }

  #note(event: RowsEvent): void {
    for (const { before, after } of event.rows) {
      const [beforeId, afterId] = [before, after].map((image) => (image === null ? null : idOf(event.table, image)));
      if (beforeId != null && beforeId !== afterId) this.#see(beforeId, 'gone');
      if (after !== null && afterId != null) this.#see(afterId, after);
    }
  }

  #see(id: string, row: RowImage | 'gone'): void {
    const { afterId, lastId } = this.#options.range;
    if ((afterId !== null && BigInt(id) <= BigInt(afterId)) || BigInt(id) > BigInt(lastId)) return;
    this.#seen.set(id, this.#isApplied === true ? row : null);
  }

  #changes(position: string): readonly RoutedRow[] {
    const { region, database, partitions, table } = this.#options;
    const event = this.#last;
    if (this.#chunk === undefined || event === undefined) return [];
    const { fingerprint } = this.#chunk;
    return this.#rows().map((after, order) => {
      const unit = unitOf(table, after);
      return {
        partition: partitionOf(unit, partitions),
        change: {
          op: 'r', table, id: idOf(table, after), unit, version: versionOf(table, after), base: null, before: null, after, tsMs: event.tsMs,
          source: { region, database, serverId: event.serverId, gtid: this.#gtid, file: event.file, pos: event.pos, row: order, schema: fingerprint },
          // Each commits by itself: a chunk that is cut off anywhere is read again.
          transaction: { id: this.#gtid, order, tableOrder: order }, last: true, position,
        },
      };
    });
  }

  #rows(): readonly RowImage[] {
    const { table } = this.#options;
    const rows = new Map((this.#chunk?.rows ?? []).map((row) => [idOf(table, row), row]));
    for (const [id, seen] of this.#seen) {
      const read = rows.get(id);
      if (seen === null || seen === 'gone') rows.delete(id);
      else if (read === undefined || compareVersions(versionOf(table, seen), versionOf(table, read)) > 0) rows.set(id, seen);
    }
    return [...rows.values()];
  }
}
