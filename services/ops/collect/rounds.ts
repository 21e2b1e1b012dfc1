/**
 * Repeats a piece of work at an interval, one at a time, for as long as the process runs.
 *
 * Invariant: two rounds of one work never overlap; a round that fails is logged once per streak and the next one tries again.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';

export interface Round {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => Promise<void>;
}

export class Rounds {
  readonly #log: LogSink;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>[] = [];

  constructor(log: LogSink) {
    this.#log = log;
  }

  start(rounds: readonly Round[]): void {
    for (const round of rounds) this.#running.push(this.#repeat(round));
  }

  /** Waits for the rounds in progress. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running);
  }

  async #repeat({ name, everyMs, run }: Round): Promise<void> {
    const { signal } = this.#abort;
    let isFailing = false;
    while (!signal.aborted) {
      try {
        await run();
        if (isFailing) this.#log.info({ round: name }, `${name} works again`);
        isFailing = false;
      } catch (err) {
        // Said once: what is missing then shows on the page itself, every second.
        if (!isFailing) this.#log.warn({ round: name, err }, `${name} failed; it is tried again each round`);
        isFailing = true;
      }
      await sleep(everyMs, signal).catch(() => {});
    }
  }
}
