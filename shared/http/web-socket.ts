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
  fastifyWebsocket(app as never, { options: { maxPayload: frameBytesMax } }, (error) => assert(error === undefined, String(error)));
  app.websocketServer.on('connection', (socket: WebSocket) => {
    const { streams } = app.tandem;
    const stream: OpenStream = { kind: 'socket', leave: () => leave(socket) };
    streams.add(stream);
    socket.once('close', () => streams.delete(stream));
    if (app.tandem.isDraining) leave(socket);
  });
}

async function requireUpgrade(request: HttpRequest): Promise<void> {
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') throw new TandemError('upgrade-required', `${request.routeOptions.url} speaks WebSocket.`);
}

function leave(socket: WebSocket): void {
  socket.close(CLOSE_RESTART, 'restarting; connect again');
  const cut = setTimeout(() => socket.terminate(), CLOSE_DEADLINE_MS);
  socket.once('close', () => clearTimeout(cut));
}
