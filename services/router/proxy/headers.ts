/**
 * The headers of a proxied call: hop-by-hop ones stay on their hop, the forwarded ones are added.
 *
 * Invariant: nothing that frames a message (length, transfer coding, connection) is copied from one hop to the next, so the
 * two hops can never disagree about where a request ends. End-to-end headers pass untouched, repeated ones included.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** RFC 9110 §7.6.1, and the framing headers that each hop writes for itself. */
const HOP_BY_HOP = new Set([
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer',
  'transfer-encoding', 'upgrade', 'expect', 'http2-settings',
]);

export type HeaderMap = Record<string, string | string[]>;

/** For the upstream. `forwardedBy` is the region whose router carries the request to its peer; what a client claims is dropped. */
export function requestHeaders(request: IncomingMessage, options: { forwardedBy?: string | undefined }): HeaderMap {
  const dropped = new Set([...HOP_BY_HOP, ...listed(request.headers.connection), 'host', 'content-length', 'tandem-forwarded']);
  const headers = copy(request.headers, dropped);
  const { host } = request.headers;
  const client = request.socket.remoteAddress ?? 'unknown';
  const before = request.headers['x-forwarded-for'];
  headers['x-forwarded-for'] = before === undefined ? client : `${String(before)}, ${client}`;
  headers['x-forwarded-proto'] ??= 'http';
  if (host !== undefined) headers['x-forwarded-host'] ??= host;
  if (options.forwardedBy !== undefined) headers['tandem-forwarded'] = options.forwardedBy;
  return headers;
}

/** For the client. The length stays: the body passes as it is. */
export function responseHeaders(headers: IncomingHttpHeaders): HeaderMap {
  return copy(headers, new Set([...HOP_BY_HOP, ...listed(headers.connection)]));
}

function copy(from: IncomingHttpHeaders, dropped: ReadonlySet<string>): HeaderMap {
  const headers: HeaderMap = {};
  for (const [name, value] of Object.entries(from)) {
    if (value !== undefined && !dropped.has(name)) headers[name] = value;
  }
  return headers;
}

/** The header names that a Connection header declares hop-by-hop. */
function listed(connection: string | string[] | undefined): string[] {
  return String(connection ?? '').toLowerCase().split(',').map((name) => name.trim()).filter((name) => name !== '');
}
