/**
 * WebSockets on the routes of an HTTP server: the upgrade goes through the same hooks as any request, so that a refused
 * one is a problem+json with its status.
 *
 * Invariant: a frame larger than the limit closes its socket (1009) before it is read into memory; on drain each socket
 * is closed with 1012 (service restart). It defines no messages, and pings nobody: the route knows what silence means.
 */
import { fastifyWebsocket } from '@fastify/websocket';
import type { WebSocket as WsSocket } from '@fastify/websocket';
import { assert } from '../kernel/assert.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import type { OpenStream } from './app-state.ts';
import type { HttpApp, HttpRequest } from './http-server.ts';

export type WebSocket = WsSocket;

export const FRAME_BYTES_MAX = 64 * 1024;
const HANDSHAKE_KEY = /^[+/0-9A-Za-z]{22}==$/;
const CLOSE_RESTART = 1012;
/** For a client to answer a close frame; then the connection is cut. */
const CLOSE_DEADLINE_MS = 1_000;

/**
 * Before the first such route: then `app.get(url, { websocket: true, onRequest: requireRole('driver') }, (socket, request) => …)`.
 * A plain request to it is answered 426.
 */
export function acceptWebSockets(app: HttpApp, { frameBytesMax = FRAME_BYTES_MAX }: { readonly frameBytesMax?: number } = {}): void {
  app.addHook('onRoute', (route) => {
    if (route.websocket !== true) return;
    route.onRequest = [requireUpgrade, ...[route.onRequest ?? []].flat()] as typeof route.onRequest;
  });
  // Called, not registered: a registered plugin runs at ready(), after the routes of whoever builds the app.
  fastifyWebsocket(app as never, { options: { maxPayload: frameBytesMax }, errorHandler: endFailed }, (error) => assert(error === undefined, String(error)));
  app.websocketServer.on('connection', (socket: WebSocket) => {
    const { streams } = app.tandem;
    const stream: OpenStream = { kind: 'socket', leave: () => leave(socket) };
    streams.add(stream);
    socket.once('close', () => streams.delete(stream));
    if (app.tandem.isDraining) leave(socket);
  });
}

/** The whole handshake (RFC 6455, section 4.2.1): what ws itself refuses is no problem+json. */
async function requireUpgrade({ headers, routeOptions }: HttpRequest): Promise<void> {
  if (headers.upgrade?.toLowerCase() !== 'websocket') throw new TandemError('upgrade-required', `${routeOptions.url} speaks WebSocket.`);
  const errors = [
    ...(headers['sec-websocket-version'] === '13' ? [] : [{ field: 'sec-websocket-version', message: 'must be 13' }]),
    ...(HANDSHAKE_KEY.test(headers['sec-websocket-key'] ?? '') ? [] : [{ field: 'sec-websocket-key', message: 'must be 16 bytes in base64' }]),
  ];
  if (errors.length > 0) throw new TandemError('validation-failed', 'This is not a WebSocket handshake.', { details: { errors } });
}

/** A client that breaks the protocol is no error of ours; a route that throws is. ws has sent its close frame by then. */
function endFailed(error: Error, socket: WebSocket, request: HttpRequest): void {
  const isTheirs = (error as NodeJS.ErrnoException).code?.startsWith('WS_ERR_') === true;
  if (isTheirs) request.log.debug({ err: error }, 'a WebSocket client broke the protocol');
  else request.log.error({ err: error }, 'a WebSocket failed');
  socket.terminate();
}

function leave(socket: WebSocket): void {
  socket.close(CLOSE_RESTART, 'restarting; connect again');
  const cut = setTimeout(() => socket.terminate(), CLOSE_DEADLINE_MS);
  socket.once('close', () => clearTimeout(cut));
}
