/**
 * GET /v1/driver/stream: who may open a driver's WebSocket, and from where it goes on.
 * Invariant: only a driver's own valid token opens their stream, only in the home region of their account, and only while
 * there is room; all of that is refused before the upgrade, as a problem with its status.
 */
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { requireRole } from '../../../shared/http/auth.ts';
import type { HttpApp, HttpRequest } from '../../../shared/http/http-server.ts';
import { acceptWebSockets } from '../../../shared/http/web-socket.ts';
import { parseId } from '../../../shared/id/id-layout.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { unitOfAccount } from '../../../shared/unit/unit.ts';
import { DriverSocket } from './driver-socket.ts';
import type { DriverSocketDeps } from './driver-socket.ts';
import { FRAME_BYTES_MAX } from './frames.ts';
import type { LiveSockets } from './live-sockets.ts';

const StreamQuery = Type.Object({
  after: Type.Optional(
    Type.String({
      pattern: '^(0|[1-9][0-9]{0,18})$',
      description: 'The last offset seen; what came after it is sent first. Without it, everything that is kept.',
      examples: ['41'],
    }),
  ),
});

const DESCRIPTION = `WebSocket, one JSON object a frame. Browsers may send the token as \`?access_token=\`.

Up: \`{type:"ping", lat, lon, at?}\`, about once a second; \`at\` is RFC 3339, within a minute of the server's clock, never going back.
A place no car can have come to is refused until it is confirmed by further pings.

Down: \`{type:"hello", offset}\`, then in order \`{type:"offer", offset, offer}\`, \`{type:"offer-closed", offset, offerId, reason}\`,
\`{type:"route", offset, route}\`, and later types, which clients skip; \`{type:"error", code, detail}\` for a bad frame, which changes nothing.

Close codes: 1008 too many bad frames; 1012 connect again (a restart, or another region serves this driver now);
1013 the client read too slowly; 4001 a newer connection of the same driver took over. After each, resume with \`after\`.`;

export type DriverStreamDeps = {
  readonly sockets: LiveSockets;
  readonly socket: DriverSocketDeps;
  /** Throws not-home. */
  readonly assertHome: (unit: number) => void;
};

export function addDriverStream(app: HttpApp, deps: DriverStreamDeps): void {
  acceptWebSockets(app, { frameBytesMax: FRAME_BYTES_MAX });
  app.get('/v1/driver/stream', {
    websocket: true,
    onRequest: requireRole('driver'),
    schema: { tags: ['driver'], summary: 'Pings up; offers and route down', description: DESCRIPTION, querystring: StreamQuery },
    preHandler: async (request: HttpRequest) => {
      const { after = '0' } = request.query as Static<typeof StreamQuery>;
      if (after !== '0') parseId(after, 'after');
      deps.assertHome(unitOfAccount(request.caller.accountId));
      if (!deps.sockets.hasRoom) throw new TandemError('rate-limited', 'This process has all the driver streams it can take.', { details: { retryAfterS: 1 } });
    },
  }, (socket, request: HttpRequest) => {
    const { after = '0' } = request.query as Static<typeof StreamQuery>;
    const driver = new DriverSocket(socket, { driverId: String(request.caller.accountId), after, deps: deps.socket });
    deps.sockets.run(driver).catch((err: unknown) => request.log.error({ err }, 'a driver stream ended badly'));
  });
}
