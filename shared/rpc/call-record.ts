/**
 * Metrics of gRPC calls, under the same names on both sides of a call.
 *
 * Invariant: each call counts once, under the code it ended with (`ok` or an ErrorCode). Streams count but have no
 * duration: how long somebody listened says nothing.
 */
import { isTandemError } from '../kernel/tandem-error.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export type EndCall = (error?: unknown) => void;
/** Begins a call; the function it gives ends it. */
export type BeginCall = (call: { readonly service: string; readonly method: string; readonly isStream: boolean }) => EndCall;

export function callRecorder(side: 'client' | 'server', metrics: Metrics | undefined): BeginCall {
  if (metrics === undefined) return () => () => undefined;
  const total = metrics.counter('rpc_requests_total', 'gRPC calls that ended, by the code they ended with.', ['side', 'service', 'method', 'status']);
  const duration = metrics.histogram('rpc_duration_ms', 'Duration of unary gRPC calls.', { labels: ['side', 'service', 'method'] });
  return ({ service, method, isStream }) => {
    const beganMs = performance.now();
    return (error) => {
      total.add(1, { side, service, method, status: error === undefined ? 'ok' : isTandemError(error) ? error.code : 'internal' });
      if (!isStream) duration.record(performance.now() - beganMs, { side, service, method });
    };
  };
}
