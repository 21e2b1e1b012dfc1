/**
 * Messages of one partition between the consumer, which must not be kept waiting, and the writer.
 *
 * Invariant: it holds at most its limit and one fetch more. A fetch is over for all partitions when the last one has taken its
 * messages; so a full partition keeps it waiting for a moment only, and is then paused at the consumer until half is written.
 */
import { sleep } from '../../shared/kernel/deadline.ts';
import type { ConsumedBatch } from '../../shared/kafka/consumer.ts';
import type { IncomingMessage } from '../../shared/kafka/message.ts';

/** A busy writer makes room within this; one that does not is in trouble or has a large transaction to write. */
const PATIENCE_MS = 200;

export class Inbox {
  readonly #bytesMax: number;
  #messages: IncomingMessage[] = [];
  #head = 0;
  #bytes = 0;
  #room: PromiseWithResolvers<void> | undefined;
  #resume: (() => void) | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#head >= this.#messages.length;
  }

  async put(batch: ConsumedBatch): Promise<void> {
    for (const message of batch.messages) {
      this.#messages.push(message);
      this.#bytes += message.value.length;
    }
    if (this.#bytes < this.#bytesMax) return;
    this.#room = Promise.withResolvers();
    await Promise.race([this.#room.promise, sleep(PATIENCE_MS)]);
    if (this.#bytes >= this.#bytesMax && !batch.isStale()) this.#resume = batch.pause();
  }

  take(): IncomingMessage | undefined {
    const message = this.#messages[this.#head];
    if (message === undefined) return undefined;
    this.#head += 1;
    this.#bytes -= message.value.length;
    if (this.#head > 512 && this.#head > this.#messages.length / 2) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
    if (this.#bytes < this.#bytesMax / 2) this.#makeRoom();
    return message;
  }

  clear(): void {
    this.#messages = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
    this.#resume?.();
    this.#resume = undefined;
  }
}
