/**
 * What it takes to run one server: the program, its arguments, what must exist before, and how to see that it serves.
 *
 * Invariant: a spec is a description; nothing happens until prepare() or whoever spawns it. Secrets stand in files of
 * mode 0600 that prepare() writes, never in `args`, which every user of the machine can read.
 */

export interface ServerSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Makes directories, configuration and first data. Idempotent; data that is there is never touched. */
  prepare(): Promise<void>;
  /** One probe, no retry: resolves when the server serves, throws what is missing. */
  ready(): Promise<void>;
}

export const LOOPBACK = '127.0.0.1';
