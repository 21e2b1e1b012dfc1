/**
 * The log files of supervised processes: <name>.log and a few older ones, bounded in size.
 *
 * Invariant: a process writes to its file itself, so its output survives the supervisor. Rotation copies and truncates
 * (the file is opened for append, so the writer goes on at the new end); what is written in between the two is lost.
 */
import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { copyFile, rename, stat, truncate } from 'node:fs/promises';
import path from 'node:path';

export const LOG_BYTES_MAX = 16 * 1024 * 1024;
export const OLD_LOGS_MAX = 2;
const TAIL_BYTES = 16 * 1024;

export class ProcessLog {
  readonly file: string;

  constructor(directory: string, name: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.file = path.join(directory, `${name}.log`);
  }

  /** A descriptor for a child's output; the caller closes it after the spawn. */
  open(): number {
    return openSync(this.file, 'a', 0o600);
  }

  async rotateIfLarge(bytesMax: number = LOG_BYTES_MAX): Promise<void> {
    const size = await stat(this.file).then((s) => s.size, () => 0);
    if (size <= bytesMax) return;
    for (let age = OLD_LOGS_MAX; age > 1; age -= 1) {
      await rename(`${this.file}.${age - 1}`, `${this.file}.${age}`).catch(ignoreMissing);
    }
    await copyFile(this.file, `${this.file}.1`);
    await truncate(this.file);
  }

  /** The last lines, for an error message; empty when there is nothing. */
  tail(lines: number): string[] {
    return tailOf(this.file, lines);
  }
}

export function tailOf(file: string, lines: number): string[] {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return [];
  }
  try {
    const { size } = statSync(file);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString().split('\n').filter((line) => line !== '').slice(-lines);
  } finally {
    closeSync(fd);
  }
}

function ignoreMissing(e: unknown): void {
  if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
}
