/**
 * Dispatch behind real HTTP over a test's world: a listening server, tokens, and a client that speaks JSON and event streams.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createVerifier, signToken } from '../../../../shared/http/auth.ts';
import type { Role } from '../../../../shared/http/auth.ts';
import { closeHttp, listen } from '../../../../shared/http/http-server.ts';
import type { HttpApp } from '../../../../shared/http/http-server.ts';
import { createLog } from '../../../../shared/telemetry/log.ts';
import { createMetrics } from '../../../../shared/telemetry/metrics.ts';
import { buildDispatch } from '../../../../services/dispatch/app.ts';
import { buildRideFeed } from '../../../../services/dispatch/events/feeds.ts';
import type { DispatchDeps } from '../../../../services/dispatch/ports.ts';
import type { World } from '../world.ts';

const LOOPBACK = '127.0.0.1';

export type Call = { as?: { id: bigint; role: Role }; key?: string; body?: unknown; headers?: Record<string, string> };
export type Answered = { status: number; headers: Headers; body: any };

export type Front = {
  readonly app: HttpApp;
  call(method: string, path: string, call?: Call): Promise<Answered>;
  /** An open event stream; ends when the server ends it or `close` is called. */
  events(path: string, call: Call): Promise<EventReader>;
  stop(): Promise<void>;
};

export type StreamedEvent = { id?: string; event?: string; data: any };

/** Instance 0 of the world, which nudges its own feed as Redis would. */
export async function openFront(world: World): Promise<Front> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const region = { region: 'east', instance: 'dispatch-east-1' };
  const log = createLog({ name: 'dispatch', level: 'silent', ...region });
  const metrics = createMetrics({ service: 'dispatch', ...region });
  const rideFeed = buildRideFeed({ db: world.db, log });
  const deps = world.deps[0] as DispatchDeps;
  const nudges = { publish: (news: { rideIds: Iterable<bigint> }) => { for (const id of news.rideIds) rideFeed.nudge(id); } };
  const app = buildDispatch({
    dispatch: { ...deps, nudges }, rideFeed, log, metrics, checks: {}, verifyToken: createVerifier(publicKey.export({ format: 'jwk' })),
  });
  rideFeed.start();
  const { port } = await listen(app, { host: LOOPBACK, port: 0 });
  const headersOf = async ({ as, key, body, headers }: Call): Promise<Record<string, string>> => ({
    ...(as === undefined ? {} : { authorization: `Bearer ${await signToken(privateKey.export({ format: 'jwk' }), { accountId: as.id, role: as.role, ttlS: 600 })}` }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  });
  return {
    app,
    async call(method, path, call = {}) {
      const response = await fetch(`http://${LOOPBACK}:${port}${path}`, {
        method, headers: await headersOf(call), ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
    },
    async events(path, call) {
      const leaving = new AbortController();
      const response = await fetch(`http://${LOOPBACK}:${port}${path}`, { headers: await headersOf(call), signal: leaving.signal });
      return new EventReader(response, leaving);
    },
    async stop() {
      await rideFeed.stop();
      await closeHttp(app);
      await metrics.stop();
    },
  };
}

/** Reads server-sent events one by one. */
export class EventReader {
  readonly status: number;
  readonly #leaving: AbortController;
  readonly #events: AsyncGenerator<StreamedEvent, undefined, void>;

  constructor(response: Response, leaving: AbortController) {
    this.status = response.status;
    this.#leaving = leaving;
    this.#events = readEvents(response);
  }

  /** The next event that has an id (positions have none), or undefined at the end of the stream. */
  async next(): Promise<StreamedEvent | undefined> {
    for (;;) {
      const { value, done } = await this.#events.next();
      if (done === true) return undefined;
      if (value.id !== undefined) return value;
    }
  }

  /** The next event of that type. */
  async nextOf(type: string): Promise<StreamedEvent | undefined> {
    for await (const event of this.#events) if (event.event === type) return event;
    return undefined;
  }

  close(): void {
    this.#leaving.abort();
  }
}

async function* readEvents(response: Response): AsyncGenerator<StreamedEvent, undefined, void> {
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString('utf8');
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = Object.fromEntries(text.slice(0, end).split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)));
      text = text.slice(end + 2);
      if (fields['data'] !== undefined) yield { id: fields['id'], event: fields['event'], data: JSON.parse(fields['data']) };
    }
  }
  return undefined;
}
