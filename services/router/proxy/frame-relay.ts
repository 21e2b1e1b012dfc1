/**
 * Passes WebSocket bytes from an upstream to a client and, when asked to end, stops at a frame's boundary and says goodbye
 * with a close frame of its own.
 *
 * Invariant: the client never sees a torn frame, except where the upstream breaks off inside one; then it gets no close
 * frame either, and takes the connection for lost, which it is.
 */
import { Transform } from 'node:stream';
import type { TransformCallback } from 'node:stream';
import { closeFrame, FrameBoundary } from '../domain/frame-boundary.ts';

/** RFC 6455 §7.4 and the IANA registry: the server restarts or moves; the client should reconnect. */
export const SERVICE_RESTART = 1012;

export class FrameRelay extends Transform {
  readonly #boundary = new FrameBoundary();
  readonly #onEnding: () => void;
  #goodbye: string | undefined;
  #isCut = false;

  /** `onEnding` is called before this stream takes its last byte: who writes to it must stop at once. */
  constructor(onEnding: () => void) {
    super();
    this.#onEnding = onEnding;
  }

  /** Ends after the frame that is on its way, if any. */
  endWithClose(reason: string): void {
    this.#goodbye ??= reason;
    if (this.#boundary.isAtBoundary) this.#finish();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#isCut) return done();
    const wholeBytes = this.#boundary.push(chunk);
    if (this.#goodbye === undefined || wholeBytes < 0) return done(null, chunk);
    // What follows the last whole frame belongs to one that the client will ask for again.
    this.#isCut = true;
    this.push(chunk.subarray(0, wholeBytes));
    done();
    this.#finish();
  }

  override _flush(done: TransformCallback): void {
    const isWhole = this.#isCut || this.#boundary.isAtBoundary;
    if (isWhole && !this.#boundary.hasSeenClose) this.push(closeFrame(SERVICE_RESTART, this.#goodbye ?? 'reconnect'));
    done();
  }

  #finish(): void {
    if (this.writableEnded) return;
    this.#onEnding();
    this.end();
  }
}
