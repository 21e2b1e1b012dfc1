/**
 * The one error class for operating errors: a code of codes.ts, a message for people, a cause and details for machines.
 *
 * Invariant: whether it may be retried follows from the code alone, so that both sides of a wire agree.
 * It is not for programmers' errors (see assert.ts), nor for expected outcomes, which are values.
 */
import { CODES } from './codes.ts';
import type { CodeEntry, ErrorCode } from './codes.ts';

export class TandemError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    const entry: CodeEntry = CODES[code];
    this.code = code;
    this.retryable = entry.retryable;
    this.details = options.details ?? {};
  }
}

// On the prototype, as for the built-in errors: own and enumerable it would show up in every log line.
Object.defineProperty(TandemError.prototype, 'name', { value: 'TandemError', configurable: true, writable: true });

/** True for a TandemError and, where a code is given, only for one of that code. */
export function isTandemError(e: unknown, code?: ErrorCode): e is TandemError {
  return e instanceof TandemError && (code === undefined || e.code === code);
}
