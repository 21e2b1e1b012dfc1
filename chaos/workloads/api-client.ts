/**
 * A phone's view of Tandem: HTTP calls with a bearer token and idempotency keys, retried as an app would.
 *
 * Invariant: a retry of one call carries the same idempotency key, so that it cannot take effect twice; only answers
 * that say "later" (no answer, 409 in flight, 421, 429, 503, 504) are retried, and only until the call's deadline. A call may go to
 * either region: a retry after a lost connection tries the other one. It knows nothing of rides.
 */
import { randomUUID } from 'node:crypto';

export type Problem = { readonly status: number; readonly code: string; readonly detail: string; readonly home?: string };
export type Answer<T> = { readonly ok: true; readonly status: number; readonly body: T } | { readonly ok: false; readonly problem: Problem };

export type Endpoint = { readonly region: string; readonly routerUrl: string };

export type CallOptions = {
  readonly body?: unknown;
  /** Sends an Idempotency-Key, the same one on every retry. */
  readonly keyed?: true;
  readonly deadlineMs?: number;
};

/** Per attempt: longer than any answer of a healthy region, short enough to try the other one in time. */
const ATTEMPT_DEADLINE_MS = 10_000;
const CALL_DEADLINE_MS = 45_000;
const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 2_000;
const LATER = new Set([421, 429, 502, 503, 504]);

export type CallCounts = { calls: number; retries: number; failures: number };

export class ApiClient {
  readonly #endpoints: readonly Endpoint[];
  readonly #token: string;
  readonly #signal: AbortSignal;
  readonly #counts: CallCounts;

  /** `endpoints` in order of preference; `counts` is shared by all clients of a workload. */
  constructor(options: { endpoints: readonly Endpoint[]; token: string; signal: AbortSignal; counts: CallCounts }) {
    this.#endpoints = options.endpoints;
    this.#token = options.token;
    this.#signal = options.signal;
    this.#counts = options.counts;
  }

  async call<T>(method: 'GET' | 'POST' | 'PUT', path: string, options: CallOptions = {}): Promise<Answer<T>> {
    const until = performance.now() + (options.deadlineMs ?? CALL_DEADLINE_MS);
    const key = options.keyed ? randomUUID() : undefined;
    this.#counts.calls += 1;
    let last: Problem = { status: 0, code: 'no-answer', detail: 'not tried' };
    for (let attempt = 0; performance.now() < until && !this.#signal.aborted; attempt += 1) {
      if (attempt > 0) {
        this.#counts.retries += 1;
        await pause(Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2), this.#signal);
      }
      const endpoint = this.#endpoints[attempt % this.#endpoints.length]!;
      const answer = await this.#attempt<T>(endpoint, method, path, options.body, key);
      if (answer.ok || !isLater(answer.problem)) return answer;
      last = answer.problem;
    }
    this.#counts.failures += 1;
    return { ok: false, problem: last };
  }

  /** The events of a server-sent stream from after `lastEventId`; ends when the stream does, throws when it breaks. */
  async *events(path: string, lastEventId: string | undefined, attempt: number): AsyncGenerator<{ id?: string; event: string; data: unknown }> {
    const endpoint = this.#endpoints[attempt % this.#endpoints.length]!;
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}`, accept: 'text/event-stream' };
    if (lastEventId !== undefined) headers['last-event-id'] = lastEventId;
    const response = await fetch(endpoint.routerUrl + path, { headers, signal: this.#signal });
    if (!response.ok || response.body === null) throw new Error(`${path}: ${response.status}`);
    let buffer = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      buffer += chunk;
      for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
        const event = parseEvent(buffer.slice(0, end));
        buffer = buffer.slice(end + 2);
        if (event !== undefined) yield event;
      }
    }
  }

  async #attempt<T>(endpoint: Endpoint, method: string, path: string, body: unknown, key: string | undefined): Promise<Answer<T>> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (key !== undefined) headers['idempotency-key'] = key;
    try {
      const response = await fetch(endpoint.routerUrl + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(ATTEMPT_DEADLINE_MS)]),
      });
      const parsed = (await response.json()) as Record<string, unknown>;
      if (response.ok) return { ok: true, status: response.status, body: parsed as T };
      return {
        ok: false,
        problem: {
          status: response.status,
          code: String(parsed.code ?? 'unknown'),
          detail: String(parsed.detail ?? ''),
          home: response.headers.get('tandem-home') ?? (parsed.home as string | undefined),
        },
      };
    } catch (cause) {
      return { ok: false, problem: { status: 0, code: 'no-answer', detail: `${endpoint.region}: ${(cause as Error).message}` } };
    }
  }
}

function isLater(problem: Problem): boolean {
  return problem.status === 0 || LATER.has(problem.status) || problem.code === 'idempotency-in-flight';
}

/** One block of a server-sent stream; undefined for comments. Data is JSON. */
export function parseEvent(block: string): { id?: string; event: string; data: unknown } | undefined {
  let id: string | undefined;
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const [field, value] = colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
    if (field === 'id') id = value;
    else if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { id, event, data: JSON.parse(data.join('\n')) };
}

/** Resolves after `ms` or as soon as `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
