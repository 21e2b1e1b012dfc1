/**
 * What the supervisor needs to know of a process.
 *
 * Invariant: names are unique, and `after` names processes of the same list; the graph has no cycle (checkSpecs).
 */
import { assert } from '../../../shared/kernel/assert.ts';

/**
 * server: a database, broker and the like · service: Tandem's own, drained first on the way down ·
 * task: runs to its end once per start of the stack; what comes after waits for its exit 0.
 */
export type ProcessKind = 'server' | 'service' | 'task';

export interface ProcessSpec {
  readonly name: string;
  /** The region it belongs to, `witness`, or null for what belongs to all. */
  readonly region: string | null;
  readonly kind: ProcessKind;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Started once these are ready (tasks: done); stopped before them. */
  readonly after: readonly string[];
  readonly prepare?: () => Promise<void>;
  /** One probe; throws what is missing. Tasks have none. */
  readonly ready?: () => Promise<void>;
  /** From SIGTERM to SIGKILL. */
  readonly stopDeadlineMs: number;
}

export function checkSpecs(specs: readonly ProcessSpec[]): void {
  const seen = new Set<string>();
  // Each `after` must be listed earlier: simple to keep, and it rules out cycles.
  for (const { name, after } of specs) {
    assert(!seen.has(name), `two processes are named ${name}`);
    for (const other of after) assert(seen.has(other), `${name} comes after ${other}, which is not listed before it`);
    seen.add(name);
  }
}
