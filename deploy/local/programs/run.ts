/**
 * Runs a tool of the system to its end. Output is kept for the error message; lines can be watched as they come.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const OUTPUT_LINES_MAX = 40;

export interface Ran {
  readonly status: number;
  /** The last lines of both outputs. */
  readonly output: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly deadlineMs: number;
  readonly onLine?: (line: string) => void;
}

/** Never throws for a failing tool: read `status`; 127 when it cannot be started, 124 when the deadline passed. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  const { deadlineMs, onLine, cwd } = options;
  return new Promise((resolve) => {
    const kept: string[] = [];
    const child = spawn(command, args, {
      cwd, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: deadlineMs, killSignal: 'SIGKILL',
    });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        kept.push(line);
        if (kept.length > OUTPUT_LINES_MAX) kept.shift();
        onLine?.(line);
      });
    }
    child.on('error', (e) => resolve({ status: 127, output: e.message }));
    child.on('close', (status) => resolve({ status: status ?? 124, output: kept.join('\n') }));
  });
}
