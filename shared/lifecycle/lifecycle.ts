/**
 * Starts the parts of a process in order; on stop drains all in reverse, then stops all in reverse.
 *
 * Invariant: a part is stopped exactly once if it runs, and never if it does not; every step has a deadline, so that
 * stop() ends. A part without start() runs from the moment it is added. A part whose start() fails cleans up by itself;
 * those before it are stopped. It knows no signals and never exits the process (run-process.ts does).
 */
import { assert } from '../kernel/assert.ts';
import { withDeadline } from '../kernel/deadline.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError } from '../kernel/tandem-error.ts';

/** For one part's start(). */
export const START_DEADLINE_MS = 30_000;
/** For all drains together: what a load balancer or a supervisor is promised. */
export const DRAIN_BUDGET_MS = 10_000;
/** For one part's stop(). */
export const STOP_DEADLINE_MS = 2_000;

export interface Part {
  readonly name: string;
  /** Begins the part's work; resolves once it is ready. */
  start?(): Promise<void>;
  /** Takes no new work and finishes what is in hand; what it depends on still runs. */
  drain?(): Promise<void>;
  /** Lets go of everything. */
  stop?(): Promise<void>;
  readonly startDeadlineMs?: number;
  readonly drainDeadlineMs?: number;
  readonly stopDeadlineMs?: number;
}

export class Lifecycle {
  readonly #entries: { readonly part: Part; running: boolean }[] = [];
  readonly #nowMs: () => number;
  #log: LogSink;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /** `nowMs` is monotonic and measures what is left of the drain budget. */
  constructor(options: { log?: LogSink; nowMs?: () => number } = {}) {
    this.#log = options.log ?? SILENT;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** A process knows its log only once its configuration is read. */
  useLog(log: LogSink): void {
    this.#log = log;
  }

  add(part: Part): void {
    assert(this.#starting === undefined, `part ${part.name} added after the start`);
    this.#entries.push({ part, running: part.start === undefined });
  }

  /** Throws what the failing part threw, once those before it have stopped; not-ready where stop() came in between. */
  async start(): Promise<void> {
    assert(this.#starting === undefined, 'a lifecycle starts once');
    this.#starting = this.#startAll();
    try {
      await this.#starting;
    } catch (e) {
      // What does not stop well either is in the log; the error worth reporting is the one that began it.
      await this.stop().catch(() => {});
      throw e;
    }
  }

  /**
   * Can be called at any time, and again: all callers wait for the same end. Lets a start in progress finish first.
   * Throws internal (details.failures) where a part did not drain or stop well; the others are stopped all the same.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #startAll(): Promise<void> {
    for (const entry of this.#entries) {
      const { part } = entry;
      if (this.#stopping !== undefined) throw new TandemError('not-ready', `stopped before ${part.name} was started`);
      if (part.start === undefined) continue;
      await this.#step(part, 'start', part.startDeadlineMs ?? START_DEADLINE_MS);
      entry.running = true;
    }
  }

  async #stopAll(): Promise<void> {
    await this.#starting?.catch(() => {});
    const failures: { part: string; step: string; error: unknown }[] = [];
    const attempt = async (part: Part, step: 'drain' | 'stop', deadlineMs: number): Promise<void> => {
      try {
        await this.#step(part, step, deadlineMs);
      } catch (error) {
        this.#log.error({ part: part.name, err: error }, `${part.name} failed to ${step}`);
        failures.push({ part: part.name, step, error });
      }
    };
    const running = this.#entries.filter((entry) => entry.running).toReversed();
    const drainUntilMs = this.#nowMs() + DRAIN_BUDGET_MS;
    for (const { part } of running) {
      const leftMs = Math.max(0, drainUntilMs - this.#nowMs());
      await attempt(part, 'drain', Math.min(leftMs, part.drainDeadlineMs ?? DRAIN_BUDGET_MS));
    }
    for (const entry of running) {
      entry.running = false;
      await attempt(entry.part, 'stop', entry.part.stopDeadlineMs ?? STOP_DEADLINE_MS);
    }
    if (failures.length > 0) throw uncleanStop(failures);
  }

  async #step(part: Part, step: 'start' | 'drain' | 'stop', deadlineMs: number): Promise<void> {
    if (part[step] === undefined) return;
    const beganMs = this.#nowMs();
    await withDeadline(`${part.name} ${step}`, deadlineMs, async () => part[step]?.());
    this.#log.debug({ part: part.name, tookMs: Math.round(this.#nowMs() - beganMs) }, `${part.name}: ${step} done`);
  }
}

function uncleanStop(failures: readonly { part: string; step: string; error: unknown }[]): TandemError {
  const names = failures.map(({ part, step }) => `${part} (${step})`);
  const cause = new AggregateError(failures.map(({ error }) => error));
  return new TandemError('internal', `did not stop cleanly: ${names.join(', ')}`, { cause, details: { failures: names } });
}

const SILENT: LogSink = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
