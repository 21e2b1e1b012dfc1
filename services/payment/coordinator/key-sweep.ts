/**
 * The sweep of old idempotency keys: about once an hour, those of the units that are at home here.
 *
 * Invariant: a key answers its retries for KEY_RETENTION_MS at least. Batches are bounded, with pauses between them, so that neither
 * locks nor replication lag grow with what is there; what a round leaves, the next one finds. It keeps nothing: a restart begins anew.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { UNIT_COUNT } from '../../../shared/unit/unit.ts';
import { deleteOldKeys } from '../store/old-keys.ts';

/** Two days: longer than a client keeps a request in its queue, or a region is away. */
export const KEY_RETENTION_MS = 48 * 60 * 60_000;
/** Each pause is drawn from 0.5 to 1.5 times this, the first from 0 to 1.5: the two regions and their restarts drift apart. */
export const SWEEP_KEYS_EVERY_MS = 60 * 60_000;
export const KEYS_A_BATCH_MAX = 500;
/** A million keys a round; more than that is made in no hour. */
const BATCHES_A_ROUND_MAX = 2_000;
const BATCH_PAUSE_MS = 100;

export interface KeySweepOptions {
  readonly db: Database;
  readonly clock: { now(): bigint };
  readonly units: { isHome(unit: number): boolean };
  readonly log: LogSink;
  readonly nowMs: () => number;
  /** Called with how many keys a batch has removed. */
  readonly onForgotten: (keys: number) => void;
  /** From 0 to 1; Math.random where it is not injected. */
  readonly random?: () => number;
}

export class KeySweep {
  readonly #options: KeySweepOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: KeySweepOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** One round; returns how many keys it removed. Throws what the database throws, with the batches before it done. */
  async round(): Promise<number> {
    const { db, clock, units, nowMs, onForgotten } = this.#options;
    const { signal } = this.#stopping;
    let forgotten = 0;
    for (let batch = 0; batch < BATCHES_A_ROUND_MAX && !signal.aborted; batch += 1) {
      const atMs = nowMs();
      const atHome = Array.from({ length: UNIT_COUNT }, (_, unit) => unit).filter((unit) => units.isHome(unit));
      const keys = await deleteOldKeys(db, { units: atHome, before: new Date(atMs - KEY_RETENTION_MS), now: new Date(atMs), limit: KEYS_A_BATCH_MAX, clock });
      if (keys > 0) onForgotten(keys);
      forgotten += keys;
      if (keys < KEYS_A_BATCH_MAX) break;
      await sleep(BATCH_PAUSE_MS, signal).catch(() => {});
    }
    return forgotten;
  }

  async #run(): Promise<void> {
    const { log, random = Math.random } = this.#options;
    const { signal } = this.#stopping;
    let share = 1.5 * random();
    while (!signal.aborted) {
      await sleep(SWEEP_KEYS_EVERY_MS * share, signal).catch(() => {});
      if (signal.aborted) return;
      share = 0.5 + random();
      try {
        log.info({ keys: await this.round() }, 'old idempotency keys removed');
      } catch (err) {
        // Handled by the next round: an hour late is not too late.
        log.warn({ err }, 'old idempotency keys cannot be removed now');
      }
    }
  }
}
