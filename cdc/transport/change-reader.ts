/**
 * Messages of one partition → changes, those that came in parts put together again. One reader for each start from a
 * checkpoint; messages in order.
 *
 * Invariants: a change comes out exactly as it was encoded, or is an error (change-malformed). Parts that nobody named are
 * forgotten with the next message that is not of their set; never more than one set is kept, up to CHANGE_BYTES_MAX.
 * HAZARD a checkpoint must not lie behind a part whose envelope is still to be applied: the part would be missing.
 */
import { createHash } from 'node:crypto';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { IncomingMessage } from '../../shared/kafka/message.ts';
import { decodeChange } from '../change/codec.ts';
import type { Change, PartsOfChange } from '../change/envelope.ts';
import { CHANGE_BYTES_MAX, partNameOf } from './parts.ts';

/** The encoding of changes that came in parts, for who wants to keep it. */
const encodings = new WeakMap<Change, Buffer>();

/** What a message would have held of this change, had it not come in parts; undefined where it did. */
export function encodingOf(change: Change): Buffer | undefined {
  return encodings.get(change);
}

export class ChangeReader {
  #sha256 = '';
  #parts: Buffer[] = [];
  #bytes = 0;

  /** Null for a part. Throws change-malformed. */
  read(message: IncomingMessage): Change | null {
    const part = partNameOf(message);
    if (part !== null) {
      this.#keep(part.sha256, part.number, message.value);
      return null;
    }
    const [sha256, parts] = [this.#sha256, this.#parts];
    this.#forget();
    const change = decodeChange(message.value);
    return change.parts === undefined ? change : joined(change.parts, sha256, parts);
  }

  /** A set begins with its first part, also where another one, or the same, was left unfinished. */
  #keep(sha256: string, number: number, value: Buffer): void {
    if (number === 1) this.#forget();
    else if (sha256 !== this.#sha256 || number !== this.#parts.length + 1) return;
    if (this.#bytes + value.length > CHANGE_BYTES_MAX) {
      this.#forget();
      return;
    }
    this.#sha256 = sha256;
    this.#parts.push(value);
    this.#bytes += value.length;
  }

  #forget(): void {
    this.#sha256 = '';
    this.#parts = [];
    this.#bytes = 0;
  }
}

function joined({ sha256, count, bytes }: PartsOfChange, foundSha256: string, parts: readonly Buffer[]): Change {
  const whole = Buffer.concat(foundSha256 === sha256 && parts.length === count ? parts : []);
  if (whole.length !== bytes || createHash('sha256').update(whole).digest('hex') !== sha256) {
    throw new TandemError('change-malformed', `a change names ${count} parts of ${bytes} bytes before it, of which ${parts.length} fit`, { details: { sha256, count } });
  }
  const change = decodeChange(whole);
  encodings.set(change, whole);
  return change;
}
