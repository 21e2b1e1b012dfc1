/**
 * Spans: which work belongs to which request, over all processes.
 *
 * Invariant: trace ids are made and propagate even where no endpoint is given; then nothing is recorded of one's own
 * accord, and nothing is sent. Spans never hold up work: they are sent in batches, and dropped where the queue is full.
 * HAZARD: the OpenTelemetry API is global to the process; a second startTracing() before stop() is a programmer's error.
 */
import { SpanKind, SpanStatusCode, context, propagation, trace } from '@opentelemetry/api';
import type { Attributes, Span, TracerProvider as TracerProviderApi } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, ParentBasedSampler, SimpleSpanProcessor, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { assert } from '../kernel/assert.ts';
import { withDeadline } from '../kernel/deadline.ts';
import { idsOf } from './trace-context.ts';
import type { TraceContext } from './trace-context.ts';

export { activeContext, currentTrace, extractTrace, injectTrace, runInContext } from './trace-context.ts';
export type { TraceContext, TraceIds } from './trace-context.ts';

/** Spans waiting to be sent; more are dropped. */
export const SPAN_QUEUE_MAX = 2048;
const EXPORT_EVERY_MS = 2_000;
const EXPORT_DEADLINE_MS = 5_000;
/** Below what a Lifecycle grants a stop; a collector that hangs must not hold it up. */
const FLUSH_DEADLINE_MS = 1_500;

const TRACER = 'tandem';

export interface TracingOptions {
  readonly service: string;
  readonly region: string;
  readonly instance?: string;
  /** Base URL of an OTLP/HTTP collector, without `/v1/traces`; without it spans go nowhere. */
  readonly otlpEndpoint?: string | undefined;
  /** Share of new traces that are recorded, 0..1; a caller's decision is always followed. Default 1 with an endpoint, else 0. */
  readonly samplingRatio?: number;
  /** Instead of an endpoint: each span goes there as it ends. For tests. */
  readonly exporter?: SpanExporter;
}

export interface Tracing {
  /** Sends what waits (for at most 1.5 s) and detaches from the process. */
  stop(): Promise<void>;
}

let isStarted = false;

/** Once a process, before the first span. Never throws for a collector that is away. */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  assert(!isStarted, 'tracing is started once a process');
  isStarted = true;
  const processor = await processorFor(options);
  const ratio = options.samplingRatio ?? (processor === undefined ? 0 : 1);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': options.service,
      'service.namespace': 'tandem',
      'service.instance.id': options.instance ?? options.service,
      'tandem.region': options.region,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: processor === undefined ? [] : [processor],
  });
  trace.setGlobalTracerProvider(provider satisfies TracerProviderApi);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return {
    stop: async () => {
      if (!isStarted) return;
      isStarted = false;
      // A collector that is away must not fail a shutdown: what it missed is lost, and only that.
      await withDeadline('flush of the spans', FLUSH_DEADLINE_MS, () => provider.shutdown()).catch(() => undefined);
      trace.disable();
      context.disable();
      propagation.disable();
    },
  };
}

/** The exporter and its protobuf code are loaded only where there is somebody to send to. */
async function processorFor({ exporter, otlpEndpoint }: TracingOptions): Promise<SpanProcessor | undefined> {
  if (exporter !== undefined) return new SimpleSpanProcessor({ exporter });
  if (otlpEndpoint === undefined) return undefined;
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const url = `${otlpEndpoint.replace(/\/+$/, '')}/v1/traces`;
  return new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url, timeoutMillis: EXPORT_DEADLINE_MS }),
    maxQueueSize: SPAN_QUEUE_MAX,
    scheduledDelayMillis: EXPORT_EVERY_MS,
    exportTimeoutMillis: EXPORT_DEADLINE_MS,
  });
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

export interface SpanOptions {
  /** 'internal' by default. */
  readonly kind?: keyof typeof KINDS;
  readonly attributes?: Attributes;
  /** What extractTrace() gave; the active context by default. */
  readonly parent?: TraceContext;
}

/** A span that is open until end(). */
export interface OpenSpan {
  /** Undefined where tracing is not started. */
  readonly traceId: string | undefined;
  readonly context: TraceContext;
  /** Runs `work` inside the span. */
  run<T>(work: () => T): T;
  note(attributes: Attributes): void;
  fail(error: unknown): void;
  end(): void;
}

/** For work whose beginning and end lie in different callbacks; otherwise use inSpan. */
export function openSpan(name: string, { kind = 'internal', attributes, parent }: SpanOptions = {}): OpenSpan {
  const above = parent ?? context.active();
  const span = trace.getTracer(TRACER).startSpan(name, { kind: KINDS[kind], attributes: attributes ?? {} }, above);
  const own = trace.setSpan(above, span);
  return {
    traceId: idsOf(own)?.traceId,
    context: own,
    run: (work) => context.with(own, work),
    note: (more) => void span.setAttributes(more),
    fail: (error) => markFailed(span, error),
    end: () => span.end(),
  };
}

/** Runs `work` in a span that ends with it; what it throws is noted there and thrown on. */
export async function inSpan<T>(name: string, options: SpanOptions, work: (span: OpenSpan) => Promise<T> | T): Promise<T> {
  const span = openSpan(name, options);
  try {
    return await span.run(() => work(span));
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    span.end();
  }
}

function markFailed(span: Span, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error) span.recordException(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
