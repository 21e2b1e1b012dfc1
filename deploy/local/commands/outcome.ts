/**
 * How every command ends: its exit code, and what it says when it fails.
 *
 * Exit codes: 0 done · 1 failed · 2 bad usage · 3 refused by a safety check. An error says what happened, what it means and
 * what to do next; with --json the last line of stdout is one object in that case, too.
 */
import { CODES } from '../../../shared/kernel/codes.ts';
import type { ErrorCode } from '../../../shared/kernel/codes.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';

export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3 } as const;

/** Errors that the person at the keyboard made, not the machine. */
const USAGE: ReadonlySet<ErrorCode> = new Set(['config-invalid', 'trips-invalid', 'usage-invalid', 'validation-failed']);

/** What a safety check has refused. */
const REFUSED: ReadonlySet<ErrorCode> = new Set(['apply-reset-refused', 'capture-reset-refused', 'operation-refused']);

/** Wraps a command's action: sets the exit code, explains errors, and never lets a stack trace be the explanation. */
export function outcome<Flags extends { json?: true | undefined }>(action: (flags: Flags) => Promise<number | void>): (flags: Flags) => Promise<void> {
  return async (flags) => {
    try {
      process.exitCode = (await action(flags)) ?? EXIT.done;
    } catch (e) {
      process.exitCode = explainFailure(e);
      if (flags.json) printJson({ error: { code: isTandemError(e) ? e.code : 'internal', message: e instanceof Error ? e.message : String(e) } });
    }
  };
}

/** Explains on stderr what went wrong; returns the exit code that fits. */
export function explainFailure(e: unknown): number {
  explain(e);
  if (!isTandemError(e)) return EXIT.failed;
  if (REFUSED.has(e.code)) return EXIT.refused;
  return USAGE.has(e.code) ? EXIT.usage : EXIT.failed;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function explain(e: unknown): void {
  if (!isTandemError(e)) {
    process.stderr.write(`tandem: a fault of Tandem itself; please report it\n${e instanceof Error ? (e.stack ?? e.message) : String(e)}\n`);
    return;
  }
  const { meaning, action } = CODES[e.code];
  const lines = [`tandem: ${e.message}`, `  meaning: ${meaning}`, `  next:    ${action}`];
  for (let { cause } = e as Error; cause instanceof Error; cause = cause.cause) lines.splice(1, 0, `  because: ${cause.message.split('\n', 1)[0]}`);
  process.stderr.write(`${lines.join('\n')}\n`);
}
