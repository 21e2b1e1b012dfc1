/**
 * A gRPC server: methods are async functions, server streams async generators.
 *
 * Invariant: a handler's error reaches the caller as the TandemError it is, or as `internal`; a stream is pulled only as
 * fast as the caller reads. drain() takes no new calls, lets unary calls finish, and ends streams with `not-ready`, so
 * that their callers go elsewhere. It checks no tokens: it listens where only Tandem's own processes reach it.
 */
import { Server, ServerCredentials, logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import type { ServerUnaryCall, ServerWritableStream, ServiceDefinition, UntypedServiceImplementation, sendUnaryData } from '@grpc/grpc-js';
import { assert } from '../kernel/assert.ts';
import { withDeadline } from '../kernel/deadline.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { extractTrace, inSpan } from '../telemetry/tracing.ts';
import { callRecorder } from './call-record.ts';
import type { BeginCall } from './call-record.ts';
import type { RpcCall, RpcHandlers, RpcMethods } from './rpc-methods.ts';
import { loadService } from './service-definition.ts';
import type { ServiceName } from './service-definition.ts';
import { statusOf } from './wire-errors.ts';

export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** For unary calls to finish on drain; then they are cut. */
export const DRAIN_DEADLINE_MS = 5_000;

type Handler = (request: any, call: RpcCall) => Promise<unknown> | AsyncIterable<unknown>;

export interface RpcService extends ServiceName {
  readonly handlers: Readonly<Record<string, Handler>>;
}

/** A service with handlers that the compiler holds against its interface. */
export function rpcService<T extends RpcMethods<T>>(service: ServiceName & { readonly handlers: RpcHandlers<T> }): RpcService {
  return service as RpcService;
}

export interface RpcServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly services: readonly RpcService[];
  readonly log: LogSink;
  readonly metrics?: Metrics;
}

export interface RpcServer {
  readonly port: number;
  /** Resolves when the last call has ended, or was cut after DRAIN_DEADLINE_MS. */
  drain(): Promise<void>;
  /** Cuts whatever is left. */
  stop(): Promise<void>;
}

/** Listens. Throws port-taken. */
export async function startRpcServer({ host, port, services, log, metrics }: RpcServerOptions): Promise<RpcServer> {
  const server = new Server({ 'grpc.max_receive_message_length': MESSAGE_BYTES_MAX, 'grpc.max_send_message_length': MESSAGE_BYTES_MAX });
  // grpc-js writes plain text to stderr; what matters of it reaches us as errors.
  setLogVerbosity(logVerbosity.NONE);
  const draining = new AbortController();
  const answerer = new Answerer({ log, begin: callRecorder('server', metrics), draining: draining.signal });
  for (const service of services) {
    const definition = loadService(service);
    server.addService(definition, answerer.implement(service, definition));
  }
  const bound = await bind(server, { host, port });
  let drained: Promise<void> | undefined;
  return {
    port: bound,
    drain: () => {
      draining.abort(new TandemError('not-ready', 'This server is draining; connect again.'));
      return (drained ??= shutDown(server));
    },
    stop: async () => server.forceShutdown(),
  };
}

/** The server as a part of a Lifecycle. */
export function rpcServerPart(options: RpcServerOptions): { name: string; start(): Promise<void>; drain(): Promise<void>; stop(): Promise<void> } {
  let server: RpcServer | undefined;
  return {
    name: 'rpc',
    start: async () => {
      server = await startRpcServer(options);
      options.log.info({ port: server.port }, 'gRPC listens');
    },
    drain: async () => server?.drain(),
    stop: async () => server?.stop(),
  };
}

function bind(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (cause, bound) => {
      if (cause === null) return resolve(bound);
      // grpc-js keeps no errno, only the text of the last failed bind.
      if (!cause.message.includes('EADDRINUSE')) return reject(cause);
      reject(new TandemError('port-taken', `Port ${port} of ${host} is taken.`, { cause, details: { host, port } }));
    });
  });
}

async function shutDown(server: Server): Promise<void> {
  try {
    await withDeadline('drain of the gRPC server', DRAIN_DEADLINE_MS, () => new Promise<void>((resolve) => server.tryShutdown(() => resolve())));
  } catch (error) {
    if (!isTandemError(error, 'deadline-exceeded')) throw error;
    server.forceShutdown();
  }
}

/** What grpc-js emits and the types of its calls do not say. */
type AnyCall = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>;

class Answerer {
  readonly #log: LogSink;
  readonly #begin: BeginCall;
  readonly #draining: AbortSignal;

  constructor({ log, begin, draining }: { readonly log: LogSink; readonly begin: BeginCall; readonly draining: AbortSignal }) {
    this.#log = log;
    this.#begin = begin;
    this.#draining = draining;
  }

  implement({ serviceName, handlers }: RpcService, definition: ServiceDefinition): UntypedServiceImplementation {
    const implementation: UntypedServiceImplementation = {};
    for (const [method, { requestStream, responseStream }] of Object.entries(definition)) {
      const handler = handlers[method];
      assert(handler !== undefined, `${serviceName}.${method} has no handler`);
      assert(!requestStream, `${serviceName}.${method}: client streams are not supported`);
      const name = { service: serviceName, method, isStream: responseStream };
      implementation[method] = responseStream ? this.#streamed(name, handler) : this.#unary(name, handler);
    }
    return implementation;
  }

  #unary(name: Parameters<BeginCall>[0], handler: Handler) {
    return (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
      const signal = cancellationOf(call);
      this.#serve(name, call, () => handler(call.request, { signal, peer: call.getPeer() }) as Promise<unknown>).then(
        (value) => answer(null, value),
        (error: unknown) => answer(statusOf(error)),
      );
    };
  }

  #streamed(name: Parameters<BeginCall>[0], handler: Handler) {
    return (call: ServerWritableStream<unknown, unknown>): void => {
      const signal = AbortSignal.any([cancellationOf(call), this.#draining]);
      this.#serve(name, call, async () => {
        await pour(handler(call.request, { signal, peer: call.getPeer() }) as AsyncIterable<unknown>, call, signal);
        if (this.#draining.aborted) throw this.#draining.reason;
      }).then(
        () => call.end(),
        (error: unknown) => call.emit('error', statusOf(error)),
      );
    };
  }

  async #serve<T>(name: Parameters<BeginCall>[0], call: AnyCall, work: () => Promise<T>): Promise<T> {
    const end = this.#begin(name);
    const spanName = `${name.service}/${name.method}`;
    try {
      const value = await inSpan(spanName, { kind: 'server', parent: extractTrace(call.metadata.getMap()), attributes: { 'rpc.system': 'grpc', 'rpc.service': name.service, 'rpc.method': name.method } }, work);
      end();
      return value;
    } catch (error) {
      end(error);
      // What the caller did wrong is the caller's to log; what it gave up, nobody's.
      if (!isTandemError(error) && !call.cancelled) this.#log.error({ err: error, rpc: spanName }, 'call failed');
      throw error;
    }
  }
}

function cancellationOf(call: AnyCall): AbortSignal {
  const controller = new AbortController();
  call.once('cancelled', () => controller.abort(new TandemError('cancelled', 'The caller gave up.')));
  return controller.signal;
}

/** Sends items one by one; asks for the next only when the caller has room. Ends early, and lets go of the source, on abort. */
async function pour(source: AsyncIterable<unknown>, call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  // A generator that waits inside sees this only once it wakes; that is what its signal is for.
  const letGo = (): void => void iterator.return?.().catch(() => undefined);
  signal.addEventListener('abort', letGo, { once: true });
  try {
    while (!signal.aborted) {
      const { done, value } = await iterator.next();
      if (done === true || signal.aborted) return;
      if (!call.write(value)) await roomOf(call, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', letGo);
  }
}

function roomOf(call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
