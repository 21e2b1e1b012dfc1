/**
 * Starts a list of processes in dependency order, as parallel as that allows, keeps them running, and stops them in reverse.
 *
 * Invariant: a process starts when all it comes after are ready, and stops when all that come after it are gone. Order
 * matters at start and stop only: a crash restarts one process, and the others live through it.
 */
import { assert } from '../../../shared/kernel/assert.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { ManagedProcess } from './managed-process.ts';
import type { ProcessStatus, WatchLimits } from './managed-process.ts';
import { ProcessLog } from './process-log.ts';
import { checkSpecs } from './process-spec.ts';
import type { ProcessSpec } from './process-spec.ts';

const ROTATE_EVERY_MS = 5_000;

export interface SupervisorOptions {
  readonly specs: readonly ProcessSpec[];
  /** Absolute; marks every child as this deployment's. */
  readonly state: string;
  readonly logs: string;
  /** What every child gets besides its own: PATH, HOME and the like. */
  readonly env: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
  readonly limits?: WatchLimits;
}

export class Supervisor {
  readonly #processes: ReadonlyMap<string, ManagedProcess>;
  readonly #logs: readonly ProcessLog[];
  readonly #say: (line: string) => void;
  #rotation: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  constructor({ specs, state, logs, env, say, limits }: SupervisorOptions) {
    checkSpecs(specs);
    this.#say = say;
    const entries = specs.map((spec) => {
      const log = new ProcessLog(logs, spec.name);
      const marked = { ...env, TANDEM_STATE: state, TANDEM_PROCESS: spec.name };
      return { log, managed: new ManagedProcess({ spec, log, env: marked, say, ...(limits ? { limits } : {}) }) };
    });
    this.#processes = new Map(entries.map(({ managed }) => [managed.spec.name, managed]));
    this.#logs = entries.map(({ log }) => log);
  }

  /** Begins to start everything; list() shows how far it is. Returns at once. */
  start(): void {
    for (const managed of this.#processes.values()) void this.#startInOrder(managed);
    this.#rotation = setInterval(() => {
      for (const log of this.#logs) log.rotateIfLarge().catch((e: unknown) => this.#say(`cannot rotate ${log.file}: ${String(e)}`));
    }, ROTATE_EVERY_MS);
  }

  list(): ProcessStatus[] {
    return [...this.#processes.values()].map((managed) => managed.status());
  }

  /** Throws not-found. */
  process(name: string): ManagedProcess {
    const managed = this.#processes.get(name);
    if (managed === undefined) {
      throw new TandemError('not-found', `no process is named ${name}; there are ${[...this.#processes.keys()].join(', ')}`);
    }
    return managed;
  }

  /** Stops everything, what depends before what it depends on. Any number of times. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopInOrder();
    return this.#stopping;
  }

  async #startInOrder(managed: ManagedProcess): Promise<void> {
    try {
      await Promise.all(managed.spec.after.map((name) => this.#named(name).untilReady()));
    } catch {
      return; // what it waits for was given up or stopped, and says so itself
    }
    // Taken down while it waited: then it stays down.
    if (this.#stopping === undefined && managed.status().state === 'waiting') managed.start();
  }

  async #stopInOrder(): Promise<void> {
    clearInterval(this.#rotation);
    const stopped = new Map<string, Promise<void>>();
    // Backwards: all that come after a process are in the map when its turn comes.
    for (const managed of [...this.#processes.values()].toReversed()) {
      const { name } = managed.spec;
      const dependents = [...this.#processes.values()].filter(({ spec }) => spec.after.includes(name)).map(({ spec }) => stopped.get(spec.name));
      stopped.set(name, Promise.all(dependents).then(() => managed.stop()));
    }
    await Promise.all(stopped.values());
  }

  #named(name: string): ManagedProcess {
    const managed = this.#processes.get(name);
    assert(managed !== undefined, `checkSpecs lets no unknown name through: ${name}`);
    return managed;
  }
}
