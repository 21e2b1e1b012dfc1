/**
 * Dead letters as rows: the statements that park and settle them, inside the transactions of apply.
 *
 * Invariant: of the letters of a unit that waits, exactly the first has holds_unit = 1; under the policy `continue` none has.
 * Deliberately absent: when to park (batch-writer.ts, partition-writer.ts) and what people do with them (letter-desk.ts).
 */
import { hash63 } from '../../shared/kernel/hash.ts';
import { literal } from '../../shared/mysql/sql-text.ts';
import { DEAD_LETTER_TABLE } from '../../shared/schema/tables.ts';
import type { Change } from '../change/envelope.ts';
import type { CheckpointKey } from './checkpoint.ts';
import type { LetterKind } from './dead-letters.ts';
import { causeOf } from './faults.ts';

/** What follows from a poison change: its unit waits, or goes on without it. */
export const POISON_POLICIES = ['pause-unit', 'continue'] as const;
export type PoisonPolicy = (typeof POISON_POLICIES)[number];

export interface Letter {
  readonly offset: bigint;
  readonly kind: LetterKind;
  readonly holdsUnit: boolean;
  readonly unit: number | null;
  readonly table: string | null;
  readonly rowId: string | null;
  readonly code: string;
  readonly cause: string;
  readonly tries: number;
  readonly message: Buffer;
}

const CAUSE_MAX = 2_000;
const ROW_ID = /^-?[0-9]{1,19}$/;

/** A change with its message: what has to be kept of it where it cannot be written. */
export interface Delivery { readonly change: Change; readonly offset: bigint; readonly message: Buffer }

export function poisonLetter({ change, offset, message }: Delivery, error: unknown, tries: number, policy: PoisonPolicy): Letter {
  return { offset, kind: 'poison', holdsUnit: policy === 'pause-unit', unit: change.unit, table: change.table, rowId: change.id, ...causeOf(error), tries, message };
}

export function heldLetter({ change, offset, message }: Delivery): Letter {
  const cause = `waits behind a change of unit ${change.unit} that could not be written`;
  return { offset, kind: 'held', holdsUnit: false, unit: change.unit, table: change.table, rowId: change.id, code: 'held', cause, tries: 0, message };
}

/** A message that is no change: nobody knows its unit, so nothing waits for it. It would read the same at every try. */
export function unreadableLetter(offset: bigint, message: Buffer, error: unknown): Letter {
  return { offset, kind: 'poison', holdsUnit: false, unit: null, table: null, rowId: null, ...causeOf(error), tries: 1, message };
}

export function letterId({ source, partition }: CheckpointKey, offset: bigint): bigint {
  return hash63('letter', source, String(partition), String(offset));
}

/** One that comes again is parked once; one that was written meanwhile and fails now waits again; one that was skipped stays so. */
export function parkLetters(key: CheckpointKey, letters: readonly Letter[]): string[] {
  return letters.map((letter) => `INSERT INTO ${DEAD_LETTER_TABLE} (id, source, partition_no, message_offset, kind, state, holds_unit, unit,
      table_name, row_id, code, cause, tries, message) VALUES (${[
        letterId(key, letter.offset), literal(key.source), key.partition, letter.offset, literal(letter.kind), "'waiting'", Number(letter.holdsUnit),
        literal(letter.unit), literal(letter.table?.slice(0, 64) ?? null), letter.rowId !== null && ROW_ID.test(letter.rowId) ? letter.rowId : 'NULL',
        literal(letter.code), literal(letter.cause.slice(0, CAUSE_MAX)), letter.tries, literal(letter.message),
      ].join(', ')})
    ON DUPLICATE KEY UPDATE kind = IF(state = 'retried', VALUES(kind), kind), holds_unit = IF(state = 'retried', VALUES(holds_unit), holds_unit),
      settled_at = IF(state = 'retried', NULL, settled_at), state = IF(state = 'retried', 'waiting', state)`);
}

/** The units that wait, as rows of `unit`. */
export function parkedUnits({ source, partition }: CheckpointKey): string {
  return `SELECT DISTINCT unit FROM ${DEAD_LETTER_TABLE}
    WHERE state = 'waiting' AND source = ${literal(source)} AND partition_no = ${partition} AND holds_unit = 1`;
}

/** A row where this message was parked before and then given up. */
export function skippedLetter(key: CheckpointKey, offset: bigint): string {
  return `SELECT id FROM ${DEAD_LETTER_TABLE} WHERE id = ${letterId(key, offset)} AND state = 'skipped'`;
}

export function settleLetters(ids: readonly string[], state: 'retried' | 'skipped'): string {
  return `UPDATE ${DEAD_LETTER_TABLE} SET state = ${literal(state)}, holds_unit = 0, settled_at = NOW(3) WHERE id IN (${ids.map(BigInt).join(',')})`;
}

/** It failed again, or it is now the first of its unit that waits. */
export function keepLetter(id: string, holdsUnit: boolean, failure: { readonly code: string; readonly cause: string; readonly tries: number } | null): string {
  const failed = failure === null ? '' : `, kind = 'poison', code = ${literal(failure.code)}, cause = ${literal(failure.cause.slice(0, CAUSE_MAX))}, tries = ${failure.tries}`;
  return `UPDATE ${DEAD_LETTER_TABLE} SET holds_unit = ${Number(holdsUnit)}${failed} WHERE id = ${BigInt(id)}`;
}
