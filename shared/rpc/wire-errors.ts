/**
 * TandemErrors over gRPC: status by codes.ts, the code and the details in the trailing metadata.
 *
 * Invariant: a TandemError arrives as the TandemError that was thrown (code, message, details). Any other error arrives
 * as `internal` without its text. Details beyond DETAILS_BYTES_MAX are left behind: trailers share 8 KiB with all else.
 */
import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError, StatusObject } from '@grpc/grpc-js';
import { CODES, isErrorCode } from '../kernel/codes.ts';
import type { ErrorCode } from '../kernel/codes.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';

const CODE_KEY = 'tandem-code';
/** -bin: any bytes may travel; plain metadata is ASCII. */
const DETAILS_KEY = 'tandem-details-bin';
export const DETAILS_BYTES_MAX = 4096;

export function statusOf(error: unknown): StatusObject {
  const metadata = new Metadata();
  if (!isTandemError(error)) {
    metadata.set(CODE_KEY, 'internal');
    return { code: status.INTERNAL, details: 'internal', metadata };
  }
  metadata.set(CODE_KEY, error.code);
  const details = Buffer.from(JSON.stringify(error.details, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
  if (details.length > 2 && details.length <= DETAILS_BYTES_MAX) metadata.set(DETAILS_KEY, details);
  return { code: status[CODES[error.code].grpc], details: error.message, metadata };
}

/** What `what` (package.Service/Method) failed with, as a TandemError; the status stays as cause. */
export function errorOf(cause: ServiceError, what: string): TandemError {
  const named = cause.metadata?.get(CODE_KEY)[0];
  if (typeof named === 'string' && isErrorCode(named)) {
    return new TandemError(named, cause.details, { cause, details: detailsOf(cause.metadata) });
  }
  const code = CODE_BY_STATUS[cause.code] ?? 'internal';
  return new TandemError(code, `${what}: ${cause.details}`, { cause, details: { what } });
}

/** For what gRPC itself says, and servers that are not ours. */
const CODE_BY_STATUS: { readonly [code: number]: ErrorCode } = {
  [status.CANCELLED]: 'cancelled',
  [status.DEADLINE_EXCEEDED]: 'deadline-exceeded',
  [status.INVALID_ARGUMENT]: 'validation-failed',
  [status.NOT_FOUND]: 'not-found',
  [status.PERMISSION_DENIED]: 'forbidden',
  [status.RESOURCE_EXHAUSTED]: 'rate-limited',
  [status.UNAUTHENTICATED]: 'unauthenticated',
  [status.UNAVAILABLE]: 'upstream-unavailable',
};

function detailsOf(metadata: Metadata): Record<string, unknown> {
  const bytes = metadata.get(DETAILS_KEY)[0];
  if (!(bytes instanceof Uint8Array)) return {};
  try {
    const details: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof details === 'object' && details !== null ? (details as Record<string, unknown>) : {};
  } catch {
    return {}; // another version's; the code says enough
  }
}
