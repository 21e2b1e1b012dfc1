/**
 * A gRPC client: unary methods are promises, server streams are AsyncIterables.
 *
 * Invariant: every unary call has a deadline, and every stream one for its beginning; what a call throws is a TandemError
 * or the reason of its own signal. Until a connection was ready once, calls wait for it within their deadline; later
 * they fail at once when no target can be reached. No call is sent twice: whether it may be is the caller's to know.
 */
import { Metadata } from '@grpc/grpc-js';
import type { Client, ClientReadableStream, MethodDefinition, ServiceError } from '@grpc/grpc-js';
import { TandemError } from '../kernel/tandem-error.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { injectTrace, openSpan } from '../telemetry/tracing.ts';
import type { OpenSpan } from '../telemetry/tracing.ts';
import { callRecorder } from './call-record.ts';
import type { BeginCall, EndCall } from './call-record.ts';
import { Channel } from './channel.ts';
import type { ChannelLease } from './channel.ts';
import type { CallOptions, RpcCalls, RpcMethods } from './rpc-methods.ts';
import { loadService } from './service-definition.ts';
import type { ServiceName } from './service-definition.ts';
import { errorOf } from './wire-errors.ts';

export interface RpcClientOptions extends ServiceName {
  /** host:port each; calls go to those that are up, in turn. */
  readonly targets: readonly string[];
  /** Of a unary call, and of a stream's beginning. */
  readonly deadlineMs: number;
  readonly log: LogSink;
  readonly metrics?: Metrics;
}

export interface RpcClient<T extends RpcMethods<T>> {
  readonly call: RpcCalls<T>;
  /** A connection stands now. */
  readonly isReady: boolean;
  /** Resolves once a connection stands. Throws upstream-unavailable after `deadlineMs`; calls may be made nevertheless. */
  ready(deadlineMs: number): Promise<void>;
  /** Moves to other targets without failing a call: see channel.ts. */
  swap(targets: readonly string[], options: { readonly deadlineMs: number }): Promise<void>;
  /** Calls in flight finish; new ones throw not-ready. */
  close(): Promise<void>;
}

/** Begins to connect and returns at once. */
export function openRpcClient<T extends RpcMethods<T>>({ targets, deadlineMs, log, metrics, ...name }: RpcClientOptions): RpcClient<T> {
  const definition = loadService(name);
  const channel = new Channel(targets);
  const caller = new Caller({ channel, deadlineMs, begin: callRecorder('client', metrics), service: name.serviceName });
  const call: Record<string, unknown> = {};
  for (const [method, spec] of Object.entries(definition)) {
    call[method] = spec.responseStream
      ? (request: unknown, options: CallOptions = {}) => caller.stream(method, spec, request, options)
      : (request: unknown, options: CallOptions = {}) => caller.unary(method, spec, request, options);
  }
  return {
    call: call as RpcCalls<T>,
    get isReady() {
      return channel.isReady;
    },
    ready: (withinMs) => channel.ready(withinMs),
    swap: async (next, options) => {
      await channel.swap(next, options.deadlineMs);
      log.info({ service: name.serviceName, targets: next }, 'gRPC targets swapped');
    },
    close: async () => channel.close(),
  };
}

type Method = MethodDefinition<unknown, unknown>;
type Begun = { readonly span: OpenSpan; readonly end: EndCall; readonly what: string };

class Caller {
  readonly #channel: Channel;
  readonly #deadlineMs: number;
  readonly #begin: BeginCall;
  readonly #service: string;

  constructor({ channel, deadlineMs, begin, service }: { readonly channel: Channel; readonly deadlineMs: number; readonly begin: BeginCall; readonly service: string }) {
    this.#channel = channel;
    this.#deadlineMs = deadlineMs;
    this.#begin = begin;
    this.#service = service;
  }

  async unary(method: string, spec: Method, request: unknown, { deadlineMs = this.#deadlineMs, signal }: CallOptions): Promise<unknown> {
    signal?.throwIfAborted();
    const lease = this.#channel.take();
    const begun = this.#begun(method, spec);
    try {
      const metadata = metadataOf(begun.span, lease);
      const value = await unaryCall(lease.client, { spec, request, metadata, deadlineMs, signal });
      this.#ended(begun, lease);
      return value;
    } catch (cause) {
      throw this.#failed(begun, lease, { cause, signal });
    }
  }

  async *stream(method: string, spec: Method, request: unknown, { deadlineMs, signal }: CallOptions): AsyncGenerator<unknown, void, undefined> {
    signal?.throwIfAborted();
    await this.#channel.ready(Math.min(deadlineMs ?? Infinity, this.#deadlineMs));
    signal?.throwIfAborted();
    const lease = this.#channel.take();
    const begun = this.#begun(method, spec);
    const call = streamCall(lease.client, { spec, request, metadata: metadataOf(begun.span, lease), deadlineMs });
    const cancel = (): void => call.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    let failure: unknown;
    try {
      for await (const message of call) yield message;
    } catch (cause) {
      failure = cause;
    } finally {
      // Also where the reader has had enough and leaves: the server is to know.
      call.cancel();
      signal?.removeEventListener('abort', cancel);
      if (failure === undefined) this.#ended(begun, lease);
    }
    if (failure !== undefined) throw this.#failed(begun, lease, { cause: failure, signal });
  }

  #begun(method: string, { path, responseStream }: Method): Begun {
    const what = path.slice(1);
    const attributes = { 'rpc.system': 'grpc', 'rpc.service': this.#service, 'rpc.method': method };
    return { what, span: openSpan(what, { kind: 'client', attributes }), end: this.#begin({ service: this.#service, method, isStream: responseStream }) };
  }

  #ended({ span, end }: Begun, lease: ChannelLease): void {
    lease.release();
    end();
    span.end();
  }

  #failed({ span, end, what }: Begun, lease: ChannelLease, { cause, signal }: { readonly cause: unknown; readonly signal: AbortSignal | undefined }): unknown {
    const error = isServiceError(cause) ? errorOf(cause, what) : new TandemError('internal', `${what} could not be sent`, { cause });
    lease.release();
    end(error);
    span.fail(error);
    span.end();
    return signal?.aborted === true && error.code === 'cancelled' ? (signal.reason ?? error) : error;
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}

function metadataOf(span: OpenSpan, lease: ChannelLease): Metadata {
  const metadata = new Metadata({ waitForReady: !lease.isWarm });
  for (const [key, value] of Object.entries(injectTrace<Record<string, string>>({}, span.context))) metadata.set(key, value);
  return metadata;
}

interface Outgoing {
  readonly spec: Method;
  readonly request: unknown;
  readonly metadata: Metadata;
}

function unaryCall(client: Client, { spec, request, metadata, deadlineMs, signal }: Outgoing & { readonly deadlineMs: number; readonly signal: AbortSignal | undefined }): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => call.cancel();
    const call = client.makeUnaryRequest(spec.path, spec.requestSerialize, spec.responseDeserialize, request, metadata, { deadline: Date.now() + deadlineMs }, (error, value) => {
      signal?.removeEventListener('abort', cancel);
      if (error === null) resolve(value);
      else reject(error);
    });
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

function streamCall(client: Client, { spec, request, metadata, deadlineMs }: Outgoing & { readonly deadlineMs: number | undefined }): ClientReadableStream<unknown> {
  const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
  const call = client.makeServerStreamRequest(spec.path, spec.requestSerialize, spec.responseDeserialize, request, metadata, options);
  // The reader gets errors by iterating; one that comes after the reader left must not crash the process.
  call.on('error', () => undefined);
  return call;
}
