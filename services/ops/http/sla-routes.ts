/** GET /api/sla: the whole report. GET /api/sla/region: this region alone, for the peer's ops process. */
import type { HttpApp } from '../../../shared/http/http-server.ts';
import type { RegionReport, SlaReport } from '../domain/report.ts';

export interface SlaSource {
  report(): SlaReport;
  regionReport(): RegionReport;
}

export function addSlaRoutes(app: HttpApp, source: SlaSource): void {
  // Asked for each second by the page and by the peer: not worth a span each.
  const quiet = { config: { isQuiet: true } } as const;
  app.get('/api/sla', quiet, (_request, reply) => reply.header('cache-control', 'no-store').send(source.report()));
  app.get('/api/sla/region', quiet, (_request, reply) => reply.header('cache-control', 'no-store').send(source.regionReport()));
}
