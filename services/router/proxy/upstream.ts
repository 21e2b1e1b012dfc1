/**
 * One instance and the connections to it: makes calls, and tells the instance how they went.
 *
 * Invariant: every call ends by its deadline up to its headers, then by silence on its body; the calls waiting for one
 * instance never exceed IN_FLIGHT_MAX. Long-lived streams have connections of their own and cannot starve calls.
 * It never calls twice: who may repeat a call is decided in exchange.ts.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import type { Instance } from '../domain/instance.ts';
import { CallFailure, failureKind } from './call-failure.ts';
import type { HeaderMap } from './headers.ts';

export const CONNECTIONS_MAX = 128;
/** Calls running or waiting at one instance; one more is refused here rather than made to wait. */
export const IN_FLIGHT_MAX = 1024;
export const STREAMS_MAX = 20_000;
const CONNECT_DEADLINE_MS = 1_000;
/** An answer that has begun must go on: this long without a byte ends it. */
const BODY_SILENCE_MS = 10_000;
/** Event streams ping every 15 s; three missed pings mean a dead upstream. */
const STREAM_SILENCE_MS = 45_000;

export interface UpstreamCall {
  readonly method: string;
  readonly path: string;
  readonly headers: HeaderMap;
  readonly body: Buffer | null;
  readonly kind: 'call' | 'stream';
  /** Until the headers of the answer. */
  readonly deadlineMs: number;
  /** The client's patience. */
  readonly signal: AbortSignal;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
  readonly target: string;
}

export class Upstream {
  readonly instance: Instance;
  readonly #calls: Pool;
  readonly #streams: Pool;
  readonly #probes: Pool;
  readonly #nowMs: () => number;
  readonly #onRefused: () => void;

  /** `onRefused` is called when a call found nobody listening: as good as a failed probe. */
  constructor(instance: Instance, options: { nowMs: () => number; onRefused: () => void }) {
    this.instance = instance;
    this.#nowMs = options.nowMs;
    this.#onRefused = options.onRefused;
    const connect = { timeout: CONNECT_DEADLINE_MS };
    this.#calls = new Pool(instance.origin, { connections: CONNECTIONS_MAX, pipelining: 1, connect, bodyTimeout: BODY_SILENCE_MS });
    this.#streams = new Pool(instance.origin, { connections: STREAMS_MAX, pipelining: 1, connect, bodyTimeout: STREAM_SILENCE_MS });
    // A probe must not wait behind the calls it is there to watch.
    this.#probes = new Pool(instance.origin, { connections: 1, pipelining: 1, connect });
  }

  /** Resolves with the headers of the answer, whatever its status; throws CallFailure. */
  async call(call: UpstreamCall): Promise<UpstreamAnswer> {
    const { instance } = this;
    if (instance.inFlight >= IN_FLIGHT_MAX) throw new CallFailure('full', instance.name);
    const beganMs = this.#nowMs();
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), call.deadlineMs);
    instance.begin();
    try {
      const pool = call.kind === 'stream' ? this.#streams : this.#calls;
      const answer = await pool.request({
        method: call.method,
        path: call.path,
        headers: call.headers,
        body: call.body,
        headersTimeout: 0,
        signal: AbortSignal.any([call.signal, timeout.signal]),
      });
      // Only the headers have a deadline: what follows may be a stream that lives for hours.
      clearTimeout(timer);
      this.#record(beganMs, answer.statusCode < 500 ? 'ok' : 'failed');
      return { status: answer.statusCode, headers: answer.headers, body: answer.body, target: instance.name };
    } catch (e) {
      throw this.#failed(e, { beganMs, isTimeout: timeout.signal.aborted, isAborted: call.signal.aborted });
    } finally {
      clearTimeout(timer);
      instance.end();
    }
  }

  /** HEAD; any answer of 2xx in time is a good one. */
  async probe(path: string, deadlineMs: number): Promise<'ok' | 'failed'> {
    try {
      const signal = AbortSignal.timeout(deadlineMs);
      const { statusCode, body } = await this.#probes.request({ method: 'HEAD', path, signal, headersTimeout: 0 });
      await body.dump();
      return statusCode >= 200 && statusCode < 300 ? 'ok' : 'failed';
    } catch {
      // Whatever the reason, to a prober it is the same: this instance cannot be reached in time.
      return 'failed';
    }
  }

  /** A small document of the instance itself. Throws where it is not there in time. */
  async fetchText(path: string, deadlineMs: number): Promise<string> {
    const { statusCode, body } = await this.#calls.request({ method: 'GET', path, signal: AbortSignal.timeout(deadlineMs) });
    const text = await body.text();
    if (statusCode !== 200) throw new CallFailure('broken', this.instance.name, new Error(`HTTP ${statusCode} for ${path}`));
    return text;
  }

  async close(): Promise<void> {
    await Promise.all([this.#calls.destroy(), this.#streams.destroy(), this.#probes.destroy()]);
  }

  #failed(error: unknown, how: { beganMs: number; isTimeout: boolean; isAborted: boolean }): CallFailure {
    const { name } = this.instance;
    // An impatient client says nothing about the instance.
    if (how.isAborted) return new CallFailure('aborted', name, error);
    const kind = how.isTimeout ? 'timeout' : failureKind(error);
    this.#record(how.beganMs, 'failed');
    if (kind === 'unsent') this.#onRefused();
    return new CallFailure(kind, name, error);
  }

  #record(beganMs: number, outcome: 'ok' | 'failed'): void {
    const atMs = this.#nowMs();
    this.instance.record({ atMs, latencyMs: atMs - beganMs, ok: outcome === 'ok' });
  }
}
