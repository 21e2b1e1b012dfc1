/**
 * Carries a WebSocket: the upgrade is asked of the sides of its plan in order, then bytes are piped both ways.
 *
 * Invariant: the client sees either the upstream's own answer to its upgrade or one problem of the router, never a 421; an
 * open connection ends with a close frame where the bytes allow one. Messages are neither read nor buffered.
 */
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Side } from '../domain/placement.ts';
import { CallFailure, failureKind } from './call-failure.ts';
import { headerText } from './exchange.ts';
import { FrameRelay } from './frame-relay.ts';
import type { HeaderMap } from './headers.ts';
import type { OpenStream } from './open-streams.ts';
import type { Upstream } from './upstream.ts';
import { PEER } from './upstreams.ts';
import type { Upstreams } from './upstreams.ts';

export const UPGRADE_DEADLINE_MS = 5_000;
/** How long an ending connection may take to reach a frame's boundary and flush. */
const END_DEADLINE_MS = 1_000;
const NOT_HOME_STATUS = 421;
const REFUSAL_BYTES_MAX = 64 * 1024;

export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly service: string;
  readonly sides: readonly Side[];
  readonly headersFor: (side: Side) => HeaderMap;
}

export type UpgradeOutcome =
  | { readonly kind: 'switched'; readonly side: Side; readonly answer: IncomingMessage; readonly upstream: Duplex; readonly head: Buffer }
  | { readonly kind: 'refused'; readonly side: Side; readonly answer: IncomingMessage; readonly body: Buffer }
  | { readonly kind: 'not-home'; readonly home: string | undefined }
  | { readonly kind: 'failed'; readonly failure: CallFailure };

type Asked = Extract<UpgradeOutcome, { kind: 'switched' | 'refused' }>;

/** Asks for the upgrade. An upgrade changes nothing, so each side may be asked on two instances. */
export async function askUpgrade(upstreams: Upstreams, { request, service, sides, headersFor }: UpgradeRequest): Promise<UpgradeOutcome> {
  let failure: CallFailure | undefined;
  let home: string | undefined;
  for (const side of sides) {
    const target = side === 'peer' ? PEER : service;
    let except: Upstream | undefined;
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const upstream = upstreams.pick(target, { except, panic: 'try-anyway' });
      if (upstream === undefined) {
        failure ??= new CallFailure('unsent', target);
        break;
      }
      try {
        const asked = await ask(upstream, request, { side, headers: headersFor(side) });
        if (asked.answer.statusCode !== NOT_HOME_STATUS) return asked;
        home = headerText(asked.answer.headers['tandem-home']) ?? home;
        break;
      } catch (e) {
        failure = new CallFailure(failureKind(e), upstream.instance.name, e);
        except = upstream;
      }
    }
  }
  return failure === undefined ? { kind: 'not-home', home } : { kind: 'failed', failure };
}

/** Pipes an upgraded pair; the result is open until either end closes. */
export function joinSockets(
  client: Duplex,
  { upstream, head, side }: Pick<Extract<UpgradeOutcome, { kind: 'switched' }>, 'upstream' | 'head' | 'side'>,
  home: () => Side | undefined,
): OpenStream {
  const ended = Promise.withResolvers<void>();
  const relay = new FrameRelay(() => upstream.unpipe(relay));
  relay.write(head);
  // Not pipeline(): it would destroy the client before the close frame is out.
  upstream.pipe(relay).pipe(client);
  client.pipe(upstream);
  for (const event of ['error', 'close'] as const) upstream.on(event, () => relay.writableEnded || relay.end());
  relay.on('end', () => setTimeout(() => client.destroy(), END_DEADLINE_MS).unref());
  client.on('error', () => client.destroy());
  client.on('close', () => {
    upstream.destroy();
    ended.resolve();
  });
  const end = (reason: string): void => {
    relay.endWithClose(reason);
    // An upstream that stopped inside a frame must not hold up the end.
    setTimeout(() => client.destroy(), END_DEADLINE_MS).unref();
  };
  return { kind: 'websocket', side, home, end, ended: ended.promise };
}

function ask(upstream: Upstream, request: IncomingMessage, options: { side: Side; headers: HeaderMap }): Promise<Asked> {
  const { promise, resolve, reject } = Promise.withResolvers<Asked>();
  const { side } = options;
  const call = httpRequest(`${upstream.instance.origin}${request.url ?? '/'}`, {
    method: 'GET',
    agent: false,
    headers: { ...options.headers, connection: 'Upgrade', upgrade: 'websocket' },
    signal: AbortSignal.timeout(UPGRADE_DEADLINE_MS),
  });
  call.on('upgrade', (answer, socket, head) => resolve({ kind: 'switched', side, answer, upstream: socket, head }));
  call.on('response', (answer) => {
    readRefusal(answer).then((body) => resolve({ kind: 'refused', side, answer, body }), reject);
  });
  call.on('error', reject);
  call.end();
  return promise;
}

async function readRefusal(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > REFUSAL_BYTES_MAX) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
