/**
 * What happens to one WebSocket upgrade: the driver's stream, carried to the driver's home.
 *
 * Invariant: a refused upgrade is answered as HTTP and the socket closed; nothing here throws into the server's event.
 */
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { PROBLEM_CONTENT_TYPE, problemOf } from '../../../shared/http/problem.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { isTandemError, TandemError } from '../../../shared/kernel/tandem-error.ts';
import { failureError, routeOf } from './front-door.ts';
import type { FrontDoor, Placed } from './front-door.ts';
import { responseHeaders } from './headers.ts';
import { askUpgrade, joinSockets } from './websocket-proxy.ts';

export class UpgradeDoor {
  readonly #door: FrontDoor;
  readonly #log: LogSink;
  #isDraining = false;

  constructor(door: FrontDoor, log: LogSink) {
    this.#door = door;
    this.#log = log;
  }

  /** From now on clients are told to come back: they find another router, or this one after its restart. */
  drain(): void {
    this.#isDraining = true;
  }

  /** For the server's 'upgrade' event. */
  async handle(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    // Until the sockets are joined a client that goes away must not become an uncaught error.
    client.on('error', () => client.destroy());
    try {
      if (this.#isDraining) throw new TandemError('not-ready', 'this router is stopping; connect again', { details: { retryAfterS: 1 } });
      await this.#carry(request, client, head);
    } catch (e) {
      if (!isTandemError(e)) this.#log.error({ err: e }, 'an upgrade failed');
      refuse(client, e, (request.url ?? '/').split('?')[0] ?? '/');
    }
  }

  async #carry(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    const { deps } = this.#door;
    const beganMs = deps.nowMs();
    const route = routeOf(request);
    if (route.stream !== 'websocket' || request.headers.upgrade?.toLowerCase() !== 'websocket') {
      throw new TandemError('validation-failed', `${request.url} does not take this upgrade`);
    }
    const placed = await this.#door.place(request, route, null);
    const outcome = await askUpgrade(deps.upstreams, {
      request, service: route.service, sides: placed.sides, headersFor: (side) => this.#door.headersFor(request, side),
    });
    if (outcome.kind === 'not-home' || outcome.kind === 'failed') {
      this.#door.observe(placed, 'none', 'unavailable', beganMs);
      if (outcome.kind === 'not-home') throw this.#door.refusal(placed, outcome);
      throw failureError(outcome.failure.kind, outcome.failure.target, route.service);
    }
    const { answer, side } = outcome;
    this.#door.observe(placed, side, (answer.statusCode ?? 500) >= 500 ? 'server-error' : 'ok', beganMs);
    if (outcome.kind === 'refused') {
      client.end(Buffer.concat([statusHead(answer, { 'content-length': String(outcome.body.length), connection: 'close' }), outcome.body]));
      return;
    }
    client.write(statusHead(answer, { connection: 'Upgrade', upgrade: 'websocket' }));
    outcome.upstream.write(head);
    deps.streams.add(joinSockets(client, outcome, () => this.#homeOf(placed)));
  }

  #homeOf(placed: Placed): 'local' | 'peer' | undefined {
    return placed.source === 'peer' ? undefined : this.#door.deps.homes.homeOf(placed.clues);
  }
}

/** The upstream's status line and end-to-end headers, with those of this hop. */
function statusHead(answer: IncomingMessage, hop: Record<string, string>): Buffer {
  const headers = { ...responseHeaders(answer.headers), ...hop };
  const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`));
  return Buffer.from([`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`, ...lines, '', ''].join('\r\n'), 'latin1');
}

function refuse(client: Duplex, e: unknown, path: string): void {
  const { status, headers, body } = problemOf(e, { path, requestId: '' });
  const text = JSON.stringify(body);
  const all = { ...headers, 'content-type': PROBLEM_CONTENT_TYPE, 'content-length': String(Buffer.byteLength(text)), connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  client.end([`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`, ...lines, '', text].join('\r\n'));
}
