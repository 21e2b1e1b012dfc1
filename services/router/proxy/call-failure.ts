/**
 * Why a call to an upstream brought no answer, as far as it matters for sending it again.
 *
 * Invariant: 'unsent' is said only where no byte of the request can have reached the upstream; such a call may be repeated
 * whatever it does. It retries nothing itself.
 */

/**
 * unsent: no connection came about. broken: the connection ended before the answer; the request may have been carried out.
 * timeout: no answer in time; likewise. full: the instance is at its limit, nothing was sent. aborted: the client went away.
 */
export type FailureKind = 'unsent' | 'broken' | 'timeout' | 'full' | 'aborted';

export class CallFailure extends Error {
  readonly kind: FailureKind;
  /** The instance that was called. */
  readonly target: string;

  constructor(kind: FailureKind, target: string, cause?: unknown) {
    super(`call to ${target}: ${kind}`, { cause });
    this.kind = kind;
    this.target = target;
  }
}

const UNSENT_CODES = new Set([
  'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT',
]);
const TIMEOUT_CODES = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);

export function failureKind(error: unknown): FailureKind {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
  if (typeof code !== 'string') return 'broken';
  if (UNSENT_CODES.has(code) || syscall === 'connect') return 'unsent';
  return TIMEOUT_CODES.has(code) ? 'timeout' : 'broken';
}
