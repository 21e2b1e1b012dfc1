/**
 * Errors on the wire: RFC 9457 problem+json, made from a code of shared/kernel/codes.ts.
 *
 * Invariant: below 500 the error's message and details are for the caller and are shown; from 500 on, and for db-* codes,
 * neither leaves the process, only the code and its meaning do. It writes no log.
 */
import { CODES } from '../kernel/codes.ts';
import type { CodeEntry, ErrorCode } from '../kernel/codes.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';
import { TANDEM_HOME, TANDEM_UNIT } from './tandem-token.ts';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';
export const PROBLEM_TYPE_BASE = 'https://tandem.example/problems/';

/** One bad field: a dotted path (`pickup.lat`, `stops.0.id`), or `body`, `querystring`, `params` for the whole. */
export type FieldError = { readonly field: string; readonly message: string };

/** The JSON schema of a problem, as the OpenAPI document shows it. */
export const PROBLEM_SCHEMA = {
  $id: 'Problem',
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'instance'],
  description: 'RFC 9457. Some codes add members, for example `home` and `unit`.',
  properties: {
    type: { type: 'string', format: 'uri', examples: [`${PROBLEM_TYPE_BASE}validation-failed`] },
    title: { type: 'string', description: 'The same for all problems of a type.' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'About this very problem.' },
    code: { type: 'string', description: 'Stable; what programs switch on.', examples: ['validation-failed'] },
    instance: { type: 'string', description: 'The path that was asked for.' },
    errors: {
      type: 'array',
      items: { type: 'object', required: ['field', 'message'], properties: { field: { type: 'string' }, message: { type: 'string' } } },
    },
  },
} as const;

export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * What a caller is told of `error`. Anything but a TandemError, or a refusal of the web framework below 500, is
 * `internal`. details.retryAfterS, details.allow, details.home and details.unit become headers too.
 */
export function problemOf(error: unknown, { path, requestId }: { readonly path: string; readonly requestId: string }): Problem {
  const known = isTandemError(error) ? error : frameworkRefusal(error);
  const code: ErrorCode = known?.code ?? 'internal';
  const entry: CodeEntry = CODES[code];
  // A driver's refusal quotes values and key names; a service that means it for its callers says so in a code of its own.
  const isOurs = entry.http >= 500 || code.startsWith('db-');
  const details = known === undefined || isOurs ? {} : known.details;
  return {
    status: entry.http,
    headers: headersOf(code, known?.details ?? {}),
    body: {
      ...details,
      type: `${PROBLEM_TYPE_BASE}${code}`,
      title: entry.meaning,
      status: entry.http,
      detail: known !== undefined && !isOurs ? known.message : adviceOf(entry, requestId),
      code,
      instance: path,
    },
  };
}

function adviceOf(entry: CodeEntry, requestId: string): string {
  return entry.retryable ? 'Try again in a moment.' : `Report it with the request id ${requestId}.`;
}

function headersOf(code: ErrorCode, details: Readonly<Record<string, unknown>>): Record<string, string> {
  const headers: Record<string, string> = { 'cache-control': 'no-store' };
  if (code === 'unauthenticated') headers['www-authenticate'] = 'Bearer realm="tandem"';
  if (code === 'upgrade-required') headers['upgrade'] = 'websocket';
  if (typeof details['retryAfterS'] === 'number') headers['retry-after'] = String(Math.ceil(details['retryAfterS']));
  if (typeof details['allow'] === 'string') headers['allow'] = details['allow'];
  if (typeof details['home'] === 'string') headers[TANDEM_HOME] = details['home'];
  if (typeof details['unit'] === 'number' || typeof details['unit'] === 'string') headers[TANDEM_UNIT] = String(details['unit']);
  return headers;
}

const REFUSALS: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
};

/** What fastify itself refuses before a handler runs: a body too large, not JSON, of another type; a path it cannot decode. */
function frameworkRefusal(error: unknown): TandemError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown };
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return undefined;
  const own = typeof code === 'string' ? REFUSALS[code] : undefined;
  return new TandemError(own ?? 'validation-failed', error.message, { cause: error });
}
