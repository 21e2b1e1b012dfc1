/**
 * Reads a client's body whole: bodies of this API are small, and a request that may be carried to the other region must be
 * sent a second time from its first byte.
 *
 * Invariant: at most BODY_BYTES_MAX are held; the upstream never waits for a slow client.
 */
import type { IncomingMessage } from 'node:http';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export const BODY_BYTES_MAX = 64 * 1024;

/** null where there is no body. Throws body-too-large, or cancelled where the client breaks off. */
export function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > BODY_BYTES_MAX) return Promise.reject(tooLarge());
  const { promise, resolve, reject } = Promise.withResolvers<Buffer | null>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Listeners, not for-await: leaving that loop early would destroy the socket before the refusal is out.
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) reject(tooLarge());
    else chunks.push(chunk);
  });
  request.once('end', () => resolve(bytes === 0 ? null : Buffer.concat(chunks)));
  request.once('close', () => reject(new TandemError('cancelled', 'the client broke off its request')));
  return promise;
}

function tooLarge(): TandemError {
  return new TandemError('body-too-large', `a body may have at most ${BODY_BYTES_MAX} bytes`);
}
