/**
 * One supervised process: started, watched, restarted after a crash, stopped.
 *
 * Invariant: at most one child at a time, and exactly one decision after each exit: restart, wait, or stay down. `wanted`
 * alone says whether it should run; every other field only reports. What it depends on is the supervisor's business.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync } from 'node:fs';
import { sleep } from '../../../shared/kernel/deadline.ts';
import { BACK_OFF, backOffMs } from './back-off.ts';
import type { BackOffLimits } from './back-off.ts';
import type { ProcessKind, ProcessSpec } from './process-spec.ts';
import { residentKib } from './proc.ts';
import type { ProcessLog } from './process-log.ts';

/**
 * waiting: for what comes before · starting: alive, not ready · ready: probed well (a task: done) ·
 * unhealthy: was ready, fails its probe · back-off: crashed, will be restarted · held: taken down, stays down · failed: a task out of attempts
 */
export type ProcessState = 'waiting' | 'starting' | 'ready' | 'unhealthy' | 'back-off' | 'stopping' | 'held' | 'stopped' | 'failed';

export interface ProcessStatus {
  readonly name: string;
  readonly region: string | null;
  readonly kind: ProcessKind;
  readonly state: ProcessState;
  readonly pid: number | null;
  readonly healthy: boolean;
  readonly restarts: number;
  /** How the last child ended: "exit 1", "SIGKILL", or why it could not be started. */
  readonly lastExit: string | null;
  /** What the last failed probe said. */
  readonly reason: string | null;
  readonly residentKib: number;
  /** From the spawn to readiness, of the last start. */
  readonly readyAfterMs: number | null;
}

export interface WatchLimits {
  readonly backOff: BackOffLimits;
  readonly probeStartingEveryMs: number;
  readonly probeReadyEveryMs: number;
  /** Failures in a row before a ready process counts as unhealthy. */
  readonly probeFailuresMax: number;
  /** A task that fails this often is given up; what depends on it never starts. */
  readonly taskAttemptsMax: number;
}

export const WATCH_LIMITS: WatchLimits = {
  backOff: BACK_OFF, probeStartingEveryMs: 100, probeReadyEveryMs: 2_000, probeFailuresMax: 3, taskAttemptsMax: 5,
};

interface ManagedOptions {
  readonly spec: ProcessSpec;
  readonly log: ProcessLog;
  /** Added to each child's environment; TANDEM_STATE and TANDEM_PROCESS mark it as ours. */
  readonly env: Readonly<Record<string, string>>;
  readonly limits?: WatchLimits;
  readonly say: (line: string) => void;
}

export class ManagedProcess {
  readonly spec: ProcessSpec;
  readonly #options: ManagedOptions;
  readonly #limits: WatchLimits;
  readonly #changes = new EventEmitter();
  #state: ProcessState = 'waiting';
  #wanted = false;
  #child: ChildProcess | null = null;
  #spawnedAtMs = 0;
  #readyAfterMs: number | null = null;
  #crashesInARow = 0;
  #restarts = 0;
  #lastExit: string | null = null;
  #reason: string | null = null;
  #running: Promise<void> = Promise.resolve();
  #wake = new AbortController();

  constructor(options: ManagedOptions) {
    this.spec = options.spec;
    this.#options = options;
    this.#changes.setMaxListeners(0); // as many as come after it wait here
    this.#limits = options.limits ?? WATCH_LIMITS;
  }

  status(): ProcessStatus {
    const { name, region, kind } = this.spec;
    const pid = this.#child?.pid ?? null;
    return {
      name, region, kind, state: this.#state, pid, healthy: this.#state === 'ready', restarts: this.#restarts,
      lastExit: this.#lastExit, reason: this.#reason, residentKib: pid === null ? 0 : residentKib(pid), readyAfterMs: this.#readyAfterMs,
    };
  }

  /** Lets it run and keeps it running; returns at once. */
  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#wake = new AbortController();
    this.#setState('starting'); // at once, so that nobody who waits for it sees that it was down
    // The previous loop may still be on its way out of a stop.
    this.#running = this.#running.then(() => this.#keepRunning());
  }

  /** Resolves when ready (a task: done); rejects when a task is given up or it is stopped meanwhile. */
  async untilReady(): Promise<void> {
    for (;;) {
      if (this.#state === 'ready') return;
      if (this.#state === 'failed') throw new Error(`${this.spec.name} was given up: ${this.#lastExit}`);
      if (this.#state === 'stopped' || this.#state === 'held') throw new Error(`${this.spec.name} was stopped`);
      await once(this.#changes, 'state');
    }
  }

  /** SIGTERM, then SIGKILL at its deadline; resolves when it is gone. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM', 'stopped');
  }

  /** A signal as a fault would send it: after SIGKILL the supervisor restarts it as after any crash. False when it is not running. */
  signal(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) ?? false;
  }

  /** SIGKILL, and down until start(). */
  async hold(): Promise<void> {
    await this.#end('SIGKILL', 'held');
  }

  async restart(): Promise<void> {
    await this.stop();
    this.start();
  }

  async #end(signal: NodeJS.Signals, state: 'stopped' | 'held'): Promise<void> {
    this.#wanted = false;
    this.#wake.abort();
    const child = this.#child;
    if (child !== null) {
      this.#setState('stopping');
      child.kill('SIGCONT');
      child.kill(signal);
    }
    const impatience = setTimeout(() => {
      this.#options.say(`${this.spec.name} did not stop within ${this.spec.stopDeadlineMs} ms: SIGKILL`);
      child?.kill('SIGKILL');
    }, this.spec.stopDeadlineMs);
    await this.#running;
    clearTimeout(impatience);
    if (!this.#wanted) this.#setState(state); // started again meanwhile
  }

  async #keepRunning(): Promise<void> {
    while (this.#wanted) {
      const ended = await this.#runOnce();
      this.#lastExit = ended;
      if (!this.#wanted) return;
      if (this.spec.kind === 'task' && ended === 'exit 0') {
        this.#setState('ready');
        return;
      }
      await this.#afterCrash(ended);
    }
  }

  async #afterCrash(ended: string): Promise<void> {
    const { backOff, taskAttemptsMax } = this.#limits;
    const ranMs = performance.now() - this.#spawnedAtMs;
    this.#crashesInARow = ranMs >= backOff.stableAfterMs ? 1 : this.#crashesInARow + 1;
    if (this.spec.kind === 'task' && this.#crashesInARow >= taskAttemptsMax) {
      this.#wanted = false;
      this.#options.say(`${this.spec.name} failed ${taskAttemptsMax} times (${ended}): given up`);
      this.#setState('failed');
      return;
    }
    const waitMs = backOffMs(this.#crashesInARow, backOff);
    this.#options.say(`${this.spec.name} ended by itself (${ended}); restart in ${waitMs} ms`);
    this.#setState('back-off');
    await sleep(waitMs, this.#wake.signal).catch(() => {}); // woken: the loop sees that it is no longer wanted
    if (this.#wanted) this.#restarts += 1;
  }

  /** From prepare() to the exit of the child; says how it ended. Never throws. */
  async #runOnce(): Promise<string> {
    this.#setState('starting');
    this.#readyAfterMs = null;
    this.#spawnedAtMs = performance.now();
    try {
      await this.spec.prepare?.();
    } catch (e) {
      return `could not be prepared: ${e instanceof Error ? e.message : String(e)}`;
    }
    if (!this.#wanted) return 'not started';
    const child = this.#spawn();
    const ended = howItEnds(child);
    this.#child = child;
    const probing = new AbortController();
    void this.#probe(probing.signal);
    const how = await ended;
    probing.abort();
    this.#child = null;
    return how;
  }

  #spawn(): ChildProcess {
    const { command, args, env } = this.spec;
    const fd = this.#options.log.open();
    try {
      // Its own session: a Ctrl-C at the terminal is the supervisor's to handle, in order.
      return spawn(command, args, { env: { ...this.#options.env, ...env }, stdio: ['ignore', fd, fd], detached: true });
    } finally {
      closeSync(fd);
    }
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const { ready } = this.spec;
    if (ready === undefined) {
      if (this.spec.kind !== 'task') this.#setReady();
      return;
    }
    let failures = 0;
    while (!signal.aborted) {
      const failure = await ready().then(() => null, (e: unknown) => (e instanceof Error ? e.message : String(e)));
      if (signal.aborted || this.#state === 'stopping') return;
      failures = failure === null ? 0 : failures + 1;
      if (failure === null) this.#setReady();
      else this.#noteFailure(failure, failures);
      const everyMs = this.#readyAfterMs === null ? this.#limits.probeStartingEveryMs : this.#limits.probeReadyEveryMs;
      await sleep(everyMs, signal).catch(() => {}); // aborted: the loop ends
    }
  }

  #setReady(): void {
    this.#readyAfterMs ??= Math.round(performance.now() - this.#spawnedAtMs);
    this.#reason = null;
    this.#setState('ready');
  }

  #noteFailure(failure: string, failures: number): void {
    this.#reason = failure.slice(0, 500);
    if (this.#state === 'ready' && failures >= this.#limits.probeFailuresMax) {
      this.#options.say(`${this.spec.name} is unhealthy: ${this.#reason}`);
      this.#setState('unhealthy');
    }
  }

  #setState(state: ProcessState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#changes.emit('state');
  }
}

function howItEnds(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (e) => {
      if (child.pid === undefined) resolve(`could not be started: ${e.message}`);
    });
    child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
  });
}
