/**
 * What the commands show: progress on stderr, results on stdout, so that `--json` stays one clean object.
 *
 * Invariant: no colour and no cursor movement unless stderr (progress) or stdout (tables) is a terminal.
 */

/** One line of progress for people. */
export type Say = (line: string) => void;

const started = performance.now();

/** Lines on stderr, each with the seconds since the command began. */
export function sayOnStderr(line: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stderr.write(`${seconds}s  ${line}\n`);
}

export type Paint = 'green' | 'red' | 'yellow' | 'dim' | 'bold';

const CODES: Record<Paint, number> = { green: 32, red: 31, yellow: 33, dim: 2, bold: 1 };

/** Colours `text` when stdout is a terminal and NO_COLOR is not set. */
export function paint(text: string, how: Paint): string {
  if (!process.stdout.isTTY || process.env.NO_COLOR) return text;
  return `\u001b[${CODES[how]}m${text}\u001b[0m`;
}
