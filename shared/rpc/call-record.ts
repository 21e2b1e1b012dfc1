/**
 * Metrics of gRPC calls, under the same names on both sides of a call.
 *
 * Invariant: each call counts once, under the code it ended with (`ok` or an ErrorCode). Streams count but have no
 * duration: how long somebody listened says nothing. The gRPC service is `rpc_service`: `service` is the process's own
 * label, which every line carries already, and a line with one label twice is refused whole by Prometheus.
 */
import { isTandemError } from '../kernel/tandem-error.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export type EndCall = (error?: unknown) => void;
/** Begins a call; the function it gives ends it. */
export type BeginCall = (call: { readonly service: string; readonly method: string; readonly isStream: boolean }) => EndCall;

export function callRecorder(side: 'client' | 'server', metrics: Metrics | undefined): BeginCall {
  if (metrics === undefined) return () => () => undefined;
  const total = metrics.counter('rpc_requests_total', 'gRPC calls that ended, by the code they ended with.', ['side', 'rpc_service', 'method', 'status']);
  const duration = metrics.histogram('rpc_duration_ms', 'Duration of unary gRPC calls.', { labels: ['side', 'rpc_service', 'method'] });
  return ({ service, method, isStream }) => {
    const beganMs = performance.now();
    return (error) => {
      total.add(1, { side, rpc_service: service, method, status: error === undefined ? 'ok' : isTandemError(error) ? error.code : 'internal' });
      if (!isStream) duration.record(performance.now() - beganMs, { side, rpc_service: service, method });
    };
  };
}
