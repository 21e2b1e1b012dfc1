/**
 * The ops process as an HTTP server: the SLA page, its figures as JSON, and the exporter.
 *
 * Invariant: it reads no environment and opens no port; it changes nothing but this region's entry in etcd (collect/).
 */
import { buildHttp } from '../../shared/http/http-server.ts';
import type { HttpApp } from '../../shared/http/http-server.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import { addPageRoutes } from './http/page-routes.ts';
import { exportSla } from './http/sla-metrics.ts';
import { addSlaRoutes } from './http/sla-routes.ts';
import type { SlaSource } from './http/sla-routes.ts';

export interface OpsDeps {
  readonly source: SlaSource;
  readonly log: Log;
  readonly metrics: Metrics;
}

export function buildOps({ source, log, metrics }: OpsDeps): HttpApp {
  // Ready as soon as it listens: what it cannot reach is what it is there to show.
  const app = buildHttp({ name: 'ops', log, metrics });
  exportSla(metrics, source);
  addSlaRoutes(app, source);
  addPageRoutes(app);
  return app;
}
