/**
 * Which trace the running code belongs to, and how that crosses a wire: W3C `traceparent` and `tracestate`.
 *
 * Invariant: without startTracing() (tracing.ts) everything here is a cheap no-op; a malformed header is as good as none.
 * It starts no spans.
 */
import { ROOT_CONTEXT, context, isSpanContextValid, propagation, trace } from '@opentelemetry/api';
import type { Context } from '@opentelemetry/api';

/** Opaque to everyone but this folder: carries the current span, and so the parent of the next. */
export type TraceContext = Context;

export interface TraceIds {
  /** 32 hex digits, the same in every process that a request touches. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
}

/** The ids of the active span; undefined outside of any trace. */
export function currentTrace(): TraceIds | undefined {
  return idsOf(context.active());
}

export function idsOf(of: TraceContext): TraceIds | undefined {
  const ids = trace.getSpanContext(of);
  return ids !== undefined && isSpanContextValid(ids) ? { traceId: ids.traceId, spanId: ids.spanId } : undefined;
}

/** The context that is active now, to be handed to work that runs later. */
export function activeContext(): TraceContext {
  return context.active();
}

/** Runs `work` as part of that trace; what it awaits and schedules belongs to it too. */
export function runInContext<T>(of: TraceContext, work: () => T): T {
  return context.with(of, work);
}

/** Adds the trace headers to `carrier` (HTTP headers, gRPC metadata or Kafka headers as a plain object) and returns it. */
export function injectTrace<C extends Record<string, unknown>>(carrier: C, of: TraceContext = context.active()): C {
  propagation.inject(of, carrier, { set: (target: Record<string, unknown>, key, value) => void (target[key] = value) });
  return carrier;
}

/** Reads the trace headers of `carrier`; values may be text, bytes or lists of them. The root context where there are none. */
export function extractTrace(carrier: Readonly<Record<string, unknown>>): TraceContext {
  return propagation.extract(ROOT_CONTEXT, carrier, {
    keys: (source) => Object.keys(source),
    get: (source, key) => headerText(source[key]),
  });
}

function headerText(value: unknown): string | undefined {
  if (Array.isArray(value)) return headerText(value[0]);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  return typeof value === 'string' ? value : undefined;
}
