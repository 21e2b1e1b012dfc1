/**
 * Changes that apply could not write, and those that wait behind them: what people see of them and do with them.
 *
 * Invariants: a letter stands in _dead_letters from the transaction that passed its change over until it is settled, and is
 * then kept as 'retried' or 'skipped'. Letters of a unit settle in the order of their offsets. Whatever these calls write
 * goes in transactions that begin with the checkpoint of the letter's partition: they never run beside that partition's own,
 * and nothing of them is sent back to the peer.
 */

/** poison: its own write failed. held: it waits behind a poison change of its unit. */
export type LetterKind = 'poison' | 'held';
export type LetterState = 'waiting' | 'retried' | 'skipped';

export interface DeadLetter {
  /** Decimal text; a hash of source, partition and offset. */
  readonly id: string;
  /** The region that wrote the change. */
  readonly source: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly kind: LetterKind;
  readonly state: LetterState;
  /** True where later changes of its unit wait behind it. */
  readonly holdsUnit: boolean;
  /** Null for a message that could not be read at all. */
  readonly unit: number | null;
  readonly table: string | null;
  readonly rowId: string | null;
  readonly code: string;
  readonly cause: string;
  readonly tries: number;
  /** RFC 3339, UTC. */
  readonly parkedAt: string;
  readonly settledAt: string | null;
}

export interface LetterFilter {
  /** 'waiting' by default; 'all' for the settled ones as well. */
  readonly state?: LetterState | 'all';
  readonly kind?: LetterKind;
  readonly unit?: number;
  /** 100 by default; the oldest first. */
  readonly limit?: number;
}

/** One letter, all of a unit, or everything that waits. */
export type LetterChoice = { readonly id: string } | { readonly unit: number } | 'all';

export interface SettleReport {
  /** Letters that are settled now, held ones that followed by themselves included. */
  readonly retried: number;
  readonly skipped: number;
  /** Letters that failed again, with what they failed of; those behind them wait on. */
  readonly failed: readonly { readonly id: string; readonly code: string; readonly cause: string }[];
  /** Units that still wait, after this. */
  readonly parkedUnits: readonly number[];
}

export interface DeadLetters {
  list(filter?: LetterFilter): Promise<DeadLetter[]>;
  /** The message as it was on the topic. Throws not-found. */
  message(id: string): Promise<Buffer>;
  /** Writes the letters again, in order; where that empties what a unit waits for, the unit goes on. Throws not-found. */
  retry(choice: LetterChoice): Promise<SettleReport>;
  /** Gives one poison change up for good; what was held behind it is written. Throws not-found. */
  skip(id: string): Promise<SettleReport>;
}
