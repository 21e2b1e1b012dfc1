/**
 * One transaction of apply on the target: the checkpoint first, then the changes, then COMMIT.
 *
 * Invariants: either the checkpoint and everything the changes caused are in the database, or nothing is. The first packet
 * begins it, the last one ends it; where a statement of a packet fails, none behind it runs, COMMIT included. A transaction too
 * large for memory is written in steps: it begins with the offset reached so far, commit() moves it to the end.
 */
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection, StatementResult } from '../../shared/mysql/raw-connection.ts';
import { checkMoved, moveCheckpoint } from './checkpoint.ts';
import type { CheckpointKey, CheckpointMove } from './checkpoint.ts';
import { parkedUnits } from './letters.ts';

/** Bytes of one packet; larger ones only make both sides hold more at a time. */
const PACKET_BYTES_MAX = 2 * 1024 * 1024;
/** A transaction of half a million rows is copied from its cache to the binlog by its COMMIT. */
const COMMIT_DEADLINE_MS = 300_000;
const STATEMENT_DEADLINE_MS = 30_000;
const ROLLBACK_DEADLINE_MS = 5_000;

/** The units that wait are not those that the batch was made for: the caller sorts it anew. */
export class ParkedUnitsChanged extends Error {
  readonly units: ReadonlySet<number>;

  constructor(units: ReadonlySet<number>) {
    super(`units ${[...units].join(', ')} wait now`);
    this.units = units;
  }
}

/** What a writer sees of a transaction. */
export interface OpenTransaction {
  readonly connection: RawConnection;
  run(statements: readonly string[]): Promise<StatementResult[]>;
}

export class TargetTransaction implements OpenTransaction {
  readonly connection: RawConnection;
  readonly #key: CheckpointKey;
  readonly #move: CheckpointMove;
  /** As the caller knows them. */
  readonly #parked: ReadonlySet<number>;
  #hasBegun = false;
  /** ms spent waiting for the server. */
  waitedMs = 0;
  /** ms of those that the packet with COMMIT took. */
  committedMs = 0;

  constructor(connection: RawConnection, key: CheckpointKey, move: CheckpointMove, parked: ReadonlySet<number>) {
    this.connection = connection;
    this.#key = key;
    this.#move = move;
    this.#parked = parked;
  }

  /** Begins with the first call. Throws checkpoint-moved, ParkedUnitsChanged, db-*. */
  async run(statements: readonly string[]): Promise<StatementResult[]> {
    const begin = this.#hasBegun ? [] : ['START TRANSACTION', moveCheckpoint(this.#key, this.#move), parkedUnits(this.#key)];
    if (begin.length + statements.length === 0) return [];
    this.#hasBegun = true;
    const results: StatementResult[] = [];
    for (const packet of packetsOf([...begin, ...statements])) results.push(...(await this.#send(packet, STATEMENT_DEADLINE_MS)));
    if (begin.length > 0) this.#checkBegun(results);
    return results.slice(begin.length);
  }

  /** Runs the statements and commits. @param end where the checkpoint goes, if not where the transaction began with */
  async commit(statements: readonly string[], end?: Omit<CheckpointMove, 'expected'>): Promise<void> {
    if (!this.#hasBegun) await this.run([]);
    const move = end === undefined || end.next === this.#move.next ? [] : [moveCheckpoint(this.#key, { ...end, expected: this.#move.next })];
    const packets = packetsOf([...statements, ...move, 'COMMIT']);
    for (const packet of packets.slice(0, -1)) await this.#send(packet, STATEMENT_DEADLINE_MS);
    const before = this.waitedMs;
    await this.#send(packets.at(-1) ?? ['COMMIT'], COMMIT_DEADLINE_MS);
    this.committedMs += this.waitedMs - before;
  }

  async rollback(): Promise<void> {
    if (this.connection.isLost || !this.#hasBegun) return;
    try {
      await this.connection.script(['ROLLBACK'], { deadlineMs: ROLLBACK_DEADLINE_MS });
    } catch (e) {
      // Whatever is open on it ends with it.
      this.connection.destroy();
      if (!isTandemError(e)) throw e;
    }
  }

  /** Ends it without waiting: the server rolls back by itself, which may take as long as the writing did. */
  abandon(): void {
    if (this.#hasBegun) this.connection.destroy();
  }

  #checkBegun([, moved, parked]: readonly StatementResult[]): void {
    checkMoved(this.#key, this.#move.expected, moved?.affectedRows ?? 0);
    const units = new Set((parked?.rows ?? []).map((row) => Number(row['unit'])));
    if (units.size !== this.#parked.size || ![...units].every((unit) => this.#parked.has(unit))) throw new ParkedUnitsChanged(units);
  }

  async #send(statements: readonly string[], deadlineMs: number): Promise<StatementResult[]> {
    const sentMs = performance.now();
    try {
      return await this.connection.script(statements, { deadlineMs });
    } finally {
      this.waitedMs += performance.now() - sentMs;
    }
  }
}

function packetsOf(statements: readonly string[]): string[][] {
  const packets: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const statement of statements) {
    if (bytes + statement.length > PACKET_BYTES_MAX) {
      packets.push([]);
      bytes = 0;
    }
    packets.at(-1)?.push(statement);
    bytes += statement.length;
  }
  return packets;
}
