/**
 * What the router tells about itself: requests by who answered them and how, and every instance as it sees it.
 *
 * Invariant: label values come from the route table and the configuration; nothing a client sends becomes a label.
 * tandem_router_requests_total with source="client" is what the SLA's success rate is made of.
 */
import type { Metrics } from '../../../shared/telemetry/metrics.ts';
import type { Carried } from './front-door.ts';
import type { OpenStreams } from './open-streams.ts';
import type { Upstreams } from './upstreams.ts';

export function recordRouter(metrics: Metrics, { upstreams, streams }: { upstreams: Upstreams; streams: OpenStreams }): (carried: Carried) => void {
  const requests = metrics.counter('tandem_router_requests_total', 'Requests by route, who sent and who answered them, and how they ended.', [
    'route', 'upstream', 'source', 'answered_by', 'outcome',
  ]);
  const duration = metrics.histogram('tandem_router_request_ms', 'Until the headers of the answer, everything included.', {
    labels: ['route', 'answered_by'],
  });
  observeInstances(metrics, upstreams);
  metrics.observe('tandem_router_streams', 'Open streams through this router.', ['kind'], (report) => {
    for (const kind of ['sse', 'websocket'] as const) report(streams.count(kind), { kind });
  });
  return ({ route, service, source, answeredBy, outcome, latencyMs }) => {
    requests.add(1, { route, upstream: service, source, answered_by: answeredBy, outcome });
    duration.record(latencyMs, { route, answered_by: answeredBy });
  };
}

function observeInstances(metrics: Metrics, upstreams: Upstreams): void {
  const labels = ['target'] as const;
  metrics.observe('tandem_router_instance_healthy', '1 while probes succeed.', labels, (report) => {
    for (const { name, isHealthy } of upstreams.instances) report(Number(isHealthy), { target: name });
  });
  metrics.observe('tandem_router_instance_weight', 'Weight of the last recomputation, up to 100.', labels, (report) => {
    for (const { name, weight } of upstreams.instances) report(weight, { target: name });
  });
  metrics.observe('tandem_router_instance_p95_ms', 'p95 of recent calls; absent without traffic.', labels, (report) => {
    for (const { name, summary } of upstreams.instances) if (summary !== null) report(summary.p95Ms, { target: name });
  });
  metrics.observe('tandem_router_instance_success_ratio', 'Share of recent calls that succeeded; absent without traffic.', labels, (report) => {
    for (const { name, summary } of upstreams.instances) if (summary !== null) report(summary.successRate, { target: name });
  });
  metrics.observe('tandem_router_instance_in_flight', 'Calls that wait for an answer.', labels, (report) => {
    for (const { name, inFlight } of upstreams.instances) report(inFlight, { target: name });
  });
}
