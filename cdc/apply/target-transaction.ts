/**
 * One transaction of apply on the target: the checkpoint first, then the changes, then COMMIT.
 *
 * Invariant: either the checkpoint and everything the changes caused are in the database, or nothing is. A transaction too
 * large for memory is written in steps: begin() takes the offset reached so far, finish() moves it to the end.
 */
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import type { Change } from '../change/envelope.ts';
import { writeChanges } from './batch-writer.ts';
import type { WriteMode, WriteReport } from './batch-writer.ts';
import { moveCheckpoint } from './checkpoint.ts';
import type { CheckpointKey, CheckpointMove } from './checkpoint.ts';
import type { TableCatalog } from './table-catalog.ts';

export class TargetTransaction {
  readonly #connection: RawConnection;
  readonly #catalog: TableCatalog;
  readonly #key: CheckpointKey;
  #reached: bigint;

  private constructor(connection: RawConnection, catalog: TableCatalog, key: CheckpointKey, reached: bigint) {
    this.#connection = connection;
    this.#catalog = catalog;
    this.#key = key;
    this.#reached = reached;
  }

  static async begin(connection: RawConnection, catalog: TableCatalog, key: CheckpointKey, move: CheckpointMove): Promise<TargetTransaction> {
    await connection.execute('START TRANSACTION');
    const transaction = new TargetTransaction(connection, catalog, key, move.next);
    try {
      await moveCheckpoint(connection, key, move);
    } catch (e) {
      await transaction.rollback();
      throw e;
    }
    return transaction;
  }

  async write(changes: readonly Change[], mode: WriteMode): Promise<WriteReport> {
    return await writeChanges(this.#connection, this.#catalog, changes, mode);
  }

  /** Moves the checkpoint once more where more was written than begin() knew of, and commits. */
  async finish(end: { readonly next: bigint; readonly watermark: bigint }): Promise<void> {
    if (end.next !== this.#reached) await moveCheckpoint(this.#connection, this.#key, { expected: this.#reached, ...end });
    this.#reached = end.next;
    await this.#connection.execute('COMMIT');
  }

  async rollback(): Promise<void> {
    if (this.#connection.isLost) return;
    try {
      await this.#connection.execute('ROLLBACK');
    } catch (e) {
      // Whatever is open on it ends with it.
      this.#connection.destroy();
      if (!isTandemError(e)) throw e;
    }
  }
}
