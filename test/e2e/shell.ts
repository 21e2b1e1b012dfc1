/**
 * A bash that is typed into, one block at a time, the way a reader pastes: variables, functions and background jobs stay.
 *
 * Invariant: a block's answer is all it wrote, stdout and stderr as they came, up to the prompt after it; each block has a deadline. The shell and
 * whatever it started end with it.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { withDeadline } from '../../shared/kernel/deadline.ts';

export class Shell implements AsyncDisposable {
  readonly #bash: ChildProcess;
  readonly #dir: string;
  readonly #gone: Promise<never>;
  #typed = 0;
  #heard = '';
  #onHeard: () => void = () => {};

  /** @param options.dir where it stands, and where blocks are written to */
  constructor(options: { dir: string; env: NodeJS.ProcessEnv }) {
    this.#dir = options.dir;
    // A process group of its own, so that background jobs can be ended with it.
    this.#bash = spawn('bash', ['--norc'], { cwd: options.dir, env: options.env, detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
    this.#bash.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#heard += text;
      this.#onHeard();
    });
    this.#gone = new Promise((_, reject) => this.#bash.once('exit', (status) => reject(new Error(`the shell has ended with ${status}`))));
    this.#gone.catch(() => {}); // it ends unheard once nothing more is typed
    this.#bash.stdin!.write('exec 2>&1\n');
  }

  async type(block: string, options: { deadlineMs: number }): Promise<string> {
    this.#typed += 1;
    const file = path.join(this.#dir, `block-${this.#typed}.sh`);
    await writeFile(file, block);
    const prompt = `---- end of block ${this.#typed} ----\n`;
    this.#heard = '';
    // Sourced, so that a command that reads its standard input finds it empty instead of eating the next block.
    this.#bash.stdin!.write(`. ${file} < /dev/null; echo '${prompt.trimEnd()}'\n`);
    try {
      await withDeadline(`block ${this.#typed} of the tour`, options.deadlineMs, (signal) => Promise.race([this.#until(prompt, signal), this.#gone]));
    } catch (cause) {
      throw new Error(`this block did not end in ${options.deadlineMs} ms; so far it said:\n${this.#heard}\nblock:\n${block}`, { cause });
    }
    return this.#heard.slice(0, this.#heard.indexOf(prompt));
  }

  #until(prompt: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => (this.#heard.includes(prompt) ? resolve() : undefined);
      this.#onHeard = look;
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#bash;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const gone = new Promise((resolve) => this.#bash.once('exit', resolve));
    process.kill(-pid, 'SIGKILL');
    await gone;
  }
}
