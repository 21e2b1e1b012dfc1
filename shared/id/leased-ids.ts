/**
 * The ids of a process: leases a node number, and keeps a window of time reserved ahead of the clock.
 *
 * Invariant: next() never waits and never repeats an id. It works through an etcd outage for what is left of the window
 * (about a minute), then throws id-window-exhausted, and resumes by itself once etcd is back.
 * It deliberately does not stop when the lease is lost: the window stays this process's own (see node-number.ts).
 */
import { sleep, withDeadline } from '../kernel/deadline.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import { IdGenerator } from './id-generator.ts';
import type { TandemId } from './id-layout.ts';
import { acquireNodeNumber, WINDOW_MS } from './node-number.ts';
import type { AcquireOptions, NodeNumber } from './node-number.ts';

/** How often the window is extended; four tries fit into it. */
export const EXTEND_EVERY_MS = 15_000;
/** After a failed extension; it does not back off: one small request a second is no burden, and ids are wanted. */
export const RETRY_EVERY_MS = 1_000;
/** With less than this left, next() asks for an extension at once: the clock stepped, or ids are issued in great haste. */
export const LOW_WINDOW_MS = WINDOW_MS / 2;
/** At stop; below the stop deadline of a part, so that an etcd outage does not make the stop unclean. */
const RELEASE_DEADLINE_MS = 1_500;

export interface LeasedIdsOptions extends Omit<AcquireOptions, 'nowMs'> {
  /** The region's origin number. */
  readonly origin: number;
  /** Wall time since 1970; Date.now where it is not injected. */
  readonly nowMs?: () => number;
  readonly log: LogSink;
}

/** Throws what acquiring a number throws: etcd errors, id-node-unavailable, conflict. */
export async function startLeasedIds(options: LeasedIdsOptions): Promise<LeasedIds> {
  const complete = { nowMs: Date.now, schema: 0, ...options };
  return new LeasedIds(complete, await acquireNodeNumber(complete));
}

/** The number in use, its ids, and whether its lease is, as far as we know, still ours. */
interface Holding {
  readonly number: NodeNumber;
  readonly generator: IdGenerator;
  held: boolean;
}

export class LeasedIds {
  readonly #options: Required<LeasedIdsOptions>;
  readonly #closing = new AbortController();
  readonly #upkeep: Promise<void>;
  #holding: Holding;
  /** Ends the present pause of the upkeep; the pause after a failure is left alone. */
  #nudge = (): void => {};

  /** For startLeasedIds. */
  constructor(options: Required<LeasedIdsOptions>, number: NodeNumber) {
    this.#options = options;
    this.#holding = this.#hold(number);
    this.#upkeep = this.#keepUp();
  }

  /** The node number of the ids issued now; it changes after the lease was lost. */
  get node(): number {
    return this.#holding.number.node;
  }

  /** How long ids last without etcd. */
  get remainingMs(): number {
    return this.#holding.generator.remainingMs;
  }

  /** Throws id-window-exhausted (retryable), and not-ready once stopped. */
  next(): TandemId {
    if (this.#closing.signal.aborted) throw new TandemError('not-ready', 'ids are stopped');
    if (this.remainingMs < LOW_WINDOW_MS) this.#nudge();
    return this.#holding.generator.next();
  }

  /** Hands the number and the rest of the window back, so that a restart can have them at once. */
  async stop(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    try {
      await withDeadline('handing back the node number', RELEASE_DEADLINE_MS, async () => {
        await this.#upkeep;
        await this.#holding.number.release(this.#holding.generator.unusedFromMs);
      });
    } catch (err) {
      // Nothing depends on it: the lease ends by itself, and an unused rest of a window is lost, not repeated.
      this.#options.log.info({ err, node: this.node }, 'node number left to its lease');
    }
  }

  #hold(number: NodeNumber): Holding {
    const { origin, nowMs, log, region } = this.#options;
    const { node, floorMs, ceilingMs } = number;
    const generator = new IdGenerator({ region: origin, node, nowMs, floorMs, ceilingMs });
    const holding = { number, generator, held: true };
    number.lease.onLost(() => {
      log.warn({ region, node, remainingMs: generator.remainingMs }, 'lost the lease of the node number');
      holding.held = false;
      this.#nudge();
    });
    log.info({ region, node }, 'node number leased');
    const aheadMs = floorMs - nowMs();
    if (aheadMs > WINDOW_MS) log.warn({ node, aheadMs }, 'ids of this node are dated ahead: a clock is or was wrong');
    return holding;
  }

  async #keepUp(): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#closing;
    let failed = false;
    for (;;) {
      await this.#pause(failed);
      if (signal.aborted) return;
      try {
        await this.#extendOrReplace();
        if (failed) log.info({ node: this.node }, 'ids are extended again');
        failed = false;
      } catch (err) {
        // Handled by trying again: the window is there so that this may fail for a while.
        failed = true;
        log.warn({ err, node: this.node, remainingMs: this.remainingMs }, 'ids could not be extended');
      }
    }
  }

  async #extendOrReplace(): Promise<void> {
    const { number, generator, held } = this.#holding;
    if (held) {
      const outcome = await number.extend(Math.max(this.#options.nowMs(), generator.unusedFromMs));
      generator.extend(number.ceilingMs);
      if (outcome === 'extended') return;
      this.#options.log.warn({ node: number.node }, 'another process took over the node number');
      await number.lease.revoke();
      this.#holding.held = false;
    }
    this.#holding = this.#hold(await acquireNodeNumber(this.#options));
  }

  async #pause(failed: boolean): Promise<void> {
    // The lease may have been lost while the upkeep was busy with it, when there was no pause to cut short.
    if (!failed && !this.#holding.held) return;
    const wake = new AbortController();
    if (!failed) this.#nudge = () => wake.abort();
    const signal = AbortSignal.any([wake.signal, this.#closing.signal]);
    try {
      await sleep(failed ? RETRY_EVERY_MS : EXTEND_EVERY_MS, signal);
    } catch (e) {
      if (!signal.aborted) throw e;
    } finally {
      this.#nudge = () => {};
    }
  }
}
