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
import { encodeChangeBytes, encodeChangePieces, encodeEnvelope, imageBytes } from '../change/codec.ts';
import type { RowImage } from '../change/encoded-image.ts';
import type { Change } from '../change/envelope.ts';
import { baseVersionOf } from '../change/image.ts';

/** "<sha256 of the whole>/<number, from 1>/<count>" */
export const PART_HEADER = 'tandem-part';
/** What a broker takes as one record batch, its own overhead included: as low as houses set it. */
export const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
/** What a reader puts together in memory. */
export const CHANGE_BYTES_MAX = 64 * 1024 * 1024;
/** Small, as whoever sends or fetches one holds it several times. */
const PART_BYTES_MAX = 1024 * 1024;
/** A record batch's header, a message's key and headers. */
const OVERHEAD_BYTES = 4 * 1024;

export interface EncodedChange {
  /** In order; empty for a change of ordinary size. */
  readonly parts: readonly { readonly header: string; readonly value: Buffer }[];
  readonly value: Buffer;
}

/** Throws capture-unreadable for a row that is too large to travel. */
export function encodeInParts(change: Change<RowImage>, messageBytesMax: number = MESSAGE_BYTES_MAX): EncodedChange {
  const limit = messageBytesMax - OVERHEAD_BYTES;
  if (imageBytes(change) <= limit) {
    const bytes = encodeChangeBytes(change);
    if (bytes.length <= limit) return { parts: [], value: bytes };
  }
  const whole = piecesWithin(change);
  const sha = createHash('sha256');
  for (const piece of whole) sha.update(piece);
  const sha256 = sha.digest('hex');
  const slices = slicesOf(whole, Math.min(limit, PART_BYTES_MAX));
  const parts = slices.map((value, i) => ({ header: `${sha256}/${i + 1}/${slices.length}`, value }));
  return { parts, value: encodeEnvelope(change, { sha256, count: slices.length, bytes: lengthOf(whole) }) };
}

function piecesWithin(change: Change<RowImage>): readonly Buffer[] {
  const pieces = encodeChangePieces(change);
  if (lengthOf(pieces) <= CHANGE_BYTES_MAX) return pieces;
  const withoutBefore = encodeChangePieces({ ...change, before: null, base: baseVersionOf(change) });
  const bytes = lengthOf(withoutBefore);
  if (bytes <= CHANGE_BYTES_MAX) return withoutBefore;
  throw new TandemError('capture-unreadable', `row ${change.id} of ${change.table} is ${bytes} bytes on its way, more than the ${CHANGE_BYTES_MAX} that travel`, {
    details: { table: change.table, id: change.id, bytes },
  });
}

/** Slices of the pieces as if they were one; a slice that lies within one piece is a view of it. */
function slicesOf(pieces: readonly Buffer[], bytesMax: number): Buffer[] {
  const slices: Buffer[] = [];
  let open: Buffer[] = [];
  let room = bytesMax;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const view = piece.subarray(at, at + room);
      open.push(view);
      at += view.length;
      room -= view.length;
      if (room > 0) continue;
      slices.push(open.length === 1 ? view : Buffer.concat(open));
      [open, room] = [[], bytesMax];
    }
  }
  if (open.length > 0) slices.push(Buffer.concat(open));
  return slices;
}

function lengthOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

export interface PartName { readonly sha256: string; readonly number: number; readonly count: number }

/** Null for a message that is no part. */
export function partNameOf({ headers }: Pick<IncomingMessage, 'headers'>): PartName | null {
  const [sha256 = '', number, count] = headers[PART_HEADER]?.toString('latin1').split('/') ?? [];
  return sha256 === '' ? null : { sha256, number: Number(number), count: Number(count) };
}
