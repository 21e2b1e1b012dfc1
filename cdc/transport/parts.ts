/**
 * A change that is larger than a message may be, in parts: slices of its encoding go ahead as messages of their own, then
 * comes a small envelope that names them.
 *
 * Invariants: parts lie directly before their envelope, in its partition; a part is no change and means nothing without
 * the envelope, so those that a killed capture left behind are passed over. A change is never dropped for its size: where
 * both images are too much, `before` stays behind (the version it had is in the envelope); where `after` alone is, capture
 * stops and says so.
 */
import { createHash } from 'node:crypto';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { IncomingMessage } from '../../shared/kafka/message.ts';
import { encodeChangeBytes, encodeEnvelope } from '../change/codec.ts';
import type { RowImage } from '../change/encoded-image.ts';
import type { Change } from '../change/envelope.ts';
import { baseVersionOf } from '../change/image.ts';

/** "<sha256 of the whole>/<number, from 1>/<count>" */
export const PART_HEADER = 'tandem-part';
/** What a broker takes as one record batch, its own overhead included: as low as houses set it. */
export const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
/** What a reader puts together in memory. */
export const CHANGE_BYTES_MAX = 64 * 1024 * 1024;
/** A record batch's header, a message's key and headers. */
const OVERHEAD_BYTES = 4 * 1024;

export interface EncodedChange {
  /** In order; empty for a change of ordinary size. */
  readonly parts: readonly { readonly header: string; readonly value: Buffer }[];
  readonly value: Buffer;
}

/** Throws capture-unreadable for a row that is too large to travel. */
export function encodeInParts(change: Change<RowImage>, messageBytesMax: number = MESSAGE_BYTES_MAX): EncodedChange {
  const partBytes = messageBytesMax - OVERHEAD_BYTES;
  const bytes = encodeChangeBytes(change);
  if (bytes.length <= partBytes) return { parts: [], value: bytes };
  const whole = bytes.length <= CHANGE_BYTES_MAX ? bytes : encodeChangeBytes({ ...change, before: null, base: baseVersionOf(change) });
  if (whole.length > CHANGE_BYTES_MAX) {
    throw new TandemError('capture-unreadable', `row ${change.id} of ${change.table} is ${whole.length} bytes on its way, more than the ${CHANGE_BYTES_MAX} that travel`, {
      details: { table: change.table, id: change.id, bytes: whole.length },
    });
  }
  const sha256 = createHash('sha256').update(whole).digest('hex');
  const count = Math.ceil(whole.length / partBytes);
  const parts = Array.from({ length: count }, (_, i) => ({
    header: `${sha256}/${i + 1}/${count}`,
    value: whole.subarray(i * partBytes, (i + 1) * partBytes),
  }));
  return { parts, value: encodeEnvelope(change, { sha256, count, bytes: whole.length }) };
}

export interface PartName { readonly sha256: string; readonly number: number; readonly count: number }

/** Null for a message that is no part. */
export function partNameOf({ headers }: Pick<IncomingMessage, 'headers'>): PartName | null {
  const [sha256 = '', number, count] = headers[PART_HEADER]?.toString('latin1').split('/') ?? [];
  return sha256 === '' ? null : { sha256, number: Number(number), count: Number(count) };
}
