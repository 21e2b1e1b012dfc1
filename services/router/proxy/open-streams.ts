/**
 * The long-lived streams (SSE and WebSocket) that run through this router, so that they can be ended well: when the router
 * drains, and when the unit they belong to has moved to another home.
 *
 * Invariant: a stream is in the set from its first byte to its end. Clients resume by themselves (Last-Event-ID, offset), so
 * an ended stream costs a reconnection and loses no event.
 */
import type { Side } from '../domain/placement.ts';

export interface OpenStream {
  readonly kind: 'sse' | 'websocket';
  /** The side it was carried to. */
  readonly side: Side;
  /** Where the unit lives now; undefined where the stream belongs to no known unit. */
  readonly home: () => Side | undefined;
  /** Ends it so that the client reconnects. */
  end(reason: string): void;
  readonly ended: Promise<void>;
}

export class OpenStreams {
  readonly #open = new Set<OpenStream>();
  readonly #onAdd: (stream: OpenStream) => void;

  /** `onAdd` sees every stream as it opens. */
  constructor(onAdd: (stream: OpenStream) => void = () => {}) {
    this.#onAdd = onAdd;
  }

  count(kind: OpenStream['kind']): number {
    let count = 0;
    for (const stream of this.#open) count += Number(stream.kind === kind);
    return count;
  }

  add(stream: OpenStream): void {
    this.#open.add(stream);
    void stream.ended.then(() => this.#open.delete(stream));
    this.#onAdd(stream);
  }

  /** Ends those whose unit now lives on the other side; call it when homes have changed. */
  endMoved(): void {
    for (const stream of this.#open) {
      const home = stream.home();
      if (home !== undefined && home !== stream.side) stream.end('the home of this stream has moved');
    }
  }

  /** Ends all and waits for it. */
  async endAll(reason: string): Promise<void> {
    const all = [...this.#open];
    for (const stream of all) stream.end(reason);
    await Promise.all(all.map((stream) => stream.ended));
  }
}
