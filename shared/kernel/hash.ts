/**
 * Ids that follow from what they identify, equal in every region and every run.
 *
 * Invariant: hash63 is part of the stored data; it never changes. It is not a password hash and keeps no secrets.
 */
import { createHash } from 'node:crypto';

const LENGTH_BYTES = 4;

/**
 * The first 63 bits of SHA-256 over the parts, never 0: a positive BIGINT. Each part is preceded by its length in UTF-8
 * bytes (32 bits, big-endian), so that ('ab', 'c') and ('a', 'bc') differ.
 */
export function hash63(...parts: string[]): bigint {
  const sha = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.from(part, 'utf8');
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(bytes.length);
    sha.update(length).update(bytes);
  }
  return (sha.digest().readBigUInt64BE(0) >> 1n) || 1n;
}
