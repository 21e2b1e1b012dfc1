/**
 * The members of the etcd cluster as seen by one client: which one to ask, and what to do when it does not answer.
 *
 * Invariant: a call settles by its deadline; a member that is dead, frozen or without a leader costs one attempt, not
 * the call, and from then on others are asked first. Whether a call may be sent twice is the caller's to say: `run` is
 * told whether an earlier attempt may have been carried out.
 *
 * etcd3's own fault handling (retries, circuit breakers over shuffled hosts) is switched off: it hides which member was
 * asked and whether a write may have happened already.
 */
import { performance } from 'node:perf_hooks';
import { Etcd3, isRecoverableError } from 'etcd3';
import type { IOptions } from 'etcd3';
import { assert } from '../kernel/assert.ts';
import { sleep, withDeadline } from '../kernel/deadline.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';

/** One member's share of a call: past it the next member is asked. A healthy one answers in a few ms. */
export const ATTEMPT_MS = 1000;
/** All members failed: a pause before the next round, so that an election is not hammered. */
const ROUND_PAUSE_MS = 100;

export interface Attempt {
  readonly client: Etcd3;
  /** For etcd3's call options: the time, in ms since 1970, at which gRPC gives up. */
  readonly options: { readonly deadline: number };
  /** An earlier attempt of this call ended without an answer: it may have been carried out, or still be. */
  readonly mayHaveHappened: boolean;
}

interface Member {
  readonly endpoint: string;
  readonly client: Etcd3;
  isFailing: boolean;
}

export class Members {
  readonly #members: readonly Member[];
  readonly #log: LogSink;
  #preferred = 0;
  #isClosed = false;

  constructor(endpoints: readonly string[], log: LogSink) {
    assert(endpoints.length > 0, 'etcd needs at least one endpoint');
    this.#log = log;
    this.#members = endpoints.map((endpoint) => ({ endpoint, client: new Etcd3(clientOptions(endpoint)), isFailing: false }));
  }

  /** Throws etcd-unavailable when no member answers within deadlineMs, etcd-failed when one refuses. */
  async call<T>(what: string, deadlineMs: number, run: (attempt: Attempt) => Promise<T>): Promise<T> {
    const endsAtMs = performance.now() + deadlineMs;
    let mayHaveHappened = false;
    let lastError: unknown;
    for (let attempt = 0; ; attempt += 1) {
      if (this.#isClosed) throw new TandemError('etcd-unavailable', `etcd ${what}: the client is closed`, { cause: lastError });
      if (attempt > 0 && attempt % this.#members.length === 0) await sleep(Math.min(ROUND_PAUSE_MS, leftMs(endsAtMs)));
      const attemptMs = Math.min(ATTEMPT_MS, leftMs(endsAtMs));
      if (attemptMs <= 0) throw unavailable(what, deadlineMs, attempt, lastError);
      const index = this.#preferred;
      const { client } = this.#member(index);
      try {
        const options = { deadline: Date.now() + attemptMs };
        // gRPC's deadline is wall-clock time and may be moved by a clock step; ours is not.
        const answer = await withDeadline(`etcd ${what}`, attemptMs + 100, () => run({ client, options, mayHaveHappened }));
        this.#recovered(index);
        return answer;
      } catch (e) {
        if (!isMemberFault(e)) throw refused(what, e);
        lastError = e;
        mayHaveHappened ||= !neverSent(e);
        this.failed(index, e);
      }
    }
  }

  /** The member to open a stream on, with the index to report to failed(). */
  pick(): { readonly index: number; readonly client: Etcd3 } {
    return { index: this.#preferred, client: this.#member(this.#preferred).client };
  }

  /** Lets the next member be asked first; logs once per outage of a member. */
  failed(index: number, error: unknown): void {
    const member = this.#member(index);
    if (this.#preferred === index) this.#preferred = (index + 1) % this.#members.length;
    if (member.isFailing || this.#isClosed) return;
    member.isFailing = true;
    this.#log.warn({ endpoint: member.endpoint, err: error }, 'etcd: a member does not answer, asking the next');
  }

  close(): void {
    this.#isClosed = true;
    for (const { client } of this.#members) client.close();
  }

  #recovered(index: number): void {
    const member = this.#member(index);
    if (!member.isFailing) return;
    member.isFailing = false;
    this.#log.info({ endpoint: member.endpoint }, 'etcd: a member answers again');
  }

  #member(index: number): Member {
    const member = this.#members[index];
    assert(member !== undefined, `no etcd member ${index}`);
    return member;
  }
}

function clientOptions(endpoint: string): IOptions {
  // async, because etcd3 expects a throw of `run` as a rejection.
  const passThrough = { execute: async (run: () => unknown) => run() };
  return {
    hosts: endpoint,
    faultHandling: { host: () => passThrough, global: passThrough } as unknown as NonNullable<IOptions['faultHandling']>,
    grpcOptions: {
      // A proxy of the environment must never stand between us and the source of truth.
      'grpc.enable_http_proxy': 0,
      // gRPC's default waits up to two minutes before it tries a restarted member again.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
      interceptors: [requireLeader],
    } as unknown as NonNullable<IOptions['grpcOptions']>,
  };
}

interface InterceptedCall {
  start(metadata: { set(key: string, value: string): void }, listener: unknown): void;
}

/**
 * HAZARD: a member cut off from the majority is alive and keeps its watches open, silent for ever. With this header
 * etcd itself refuses calls and ends streams on a member that has no leader.
 */
function requireLeader(options: unknown, nextCall: (options: unknown) => InterceptedCall): InterceptedCall {
  const call = nextCall(options);
  const start = call.start.bind(call);
  call.start = (metadata, listener) => {
    metadata.set('hasleader', 'true');
    start(metadata, listener);
  };
  return call;
}

function isMemberFault(e: unknown): boolean {
  if (isTandemError(e)) return e.code === 'deadline-exceeded' || e.code === 'etcd-unavailable';
  return e instanceof Error && isRecoverableError(e);
}

/** True where the request surely never left this process. */
function neverSent(e: unknown): boolean {
  return e instanceof Error && /ECONNREFUSED|No connection established|Name resolution failed/.test(e.message);
}

function leftMs(endsAtMs: number): number {
  return Math.max(0, Math.floor(endsAtMs - performance.now()));
}

function unavailable(what: string, deadlineMs: number, attempts: number, cause: unknown): TandemError {
  return new TandemError('etcd-unavailable', `etcd ${what}: no member answered within ${deadlineMs} ms`, { cause, details: { what, attempts } });
}

function refused(what: string, e: unknown): Error {
  if (isTandemError(e) || !(e instanceof Error)) return e as Error;
  // Assertions are programmers' errors and pass unchanged.
  if (e.name === 'AssertionFailure') return e;
  return new TandemError('etcd-failed', `etcd ${what}: ${e.message}`, { cause: e });
}
