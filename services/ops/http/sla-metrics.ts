/**
 * The SLA figures as Prometheus metrics: the exporter.
 *
 * Invariant: a figure that is unknown is absent, never 0; the figures are those of the report, read at the scrape.
 */
import type { Metrics } from '../../../shared/telemetry/metrics.ts';
import { ALERT_RULES } from '../domain/alerts.ts';
import type { SlaSource } from './sla-routes.ts';

export function exportSla(metrics: Metrics, source: SlaSource): void {
  const gauge = <const L extends string>(name: string, help: string, labels: readonly L[], read: (report: (value: number | null, values: Record<L, string>) => void) => void): void => {
    metrics.observe(name, help, labels, (report) => {
      const show = report as (value: number, values: Record<L, string>) => void;
      read((value, values) => { if (value !== null) show(value, values); });
    });
  };
  gauge('tandem_sla_health_score', 'Health score of this region, 0 to 100.', ['part'], (report) => {
    const { score, parts } = source.regionReport().health;
    report(score, { part: 'all' });
    for (const { name, points } of parts) report(points, { part: name });
  });
  gauge('tandem_sla_lag_ms', 'Replication lag into this region.', ['window', 'quantile'], (report) => {
    const { oneMinute, tenMinutes, currentMs } = source.regionReport().lag;
    report(currentMs, { window: 'now', quantile: '0.99' });
    for (const [window, figures] of [['1m', oneMinute], ['10m', tenMinutes]] as const) {
      report(figures.p50, { window, quantile: '0.5' });
      report(figures.p99, { window, quantile: '0.99' });
      report(figures.p999, { window, quantile: '0.999' });
    }
  });
  gauge('tandem_sla_heartbeat_age_ms', 'Age of the newest heartbeat of the peer in this database.', ['from'], (report) => {
    const { heartbeat, from } = source.regionReport().lag;
    report(heartbeat?.ageMs ?? null, { from });
  });
  gauge('tandem_sla_api_success_ratio', 'Share of API requests without a fault of ours.', ['window'], (report) => {
    const { oneMinute, tenMinutes } = source.regionReport().api;
    report(oneMinute.successRate, { window: '1m' });
    report(tenMinutes.successRate, { window: '10m' });
  });
  gauge('tandem_sla_target_up', '1 where the process answered the last scrape.', ['target'], (report) => {
    for (const { name, isUp, sinceMs } of source.regionReport().targets) report(sinceMs === null ? null : Number(isUp), { target: name });
  });
  gauge('tandem_sla_conflicts', 'Rows in _conflicts of this region.', ['kind'], (report) => {
    for (const [kind, count] of Object.entries(source.regionReport().replication.conflicts?.byKind ?? {})) report(count, { kind });
  });
  gauge('tandem_sla_dead_letters', 'Changes of the peer that wait in _dead_letters of this region: poison could not be written, held wait behind it.', ['kind'], (report) => {
    const { deadLetters } = source.regionReport().replication;
    report(deadLetters?.poison ?? null, { kind: 'poison' });
    report(deadLetters?.held ?? null, { kind: 'held' });
  });
  gauge('tandem_sla_parked_units', 'Units whose changes wait behind one that could not be written.', [], (report) => {
    report(source.regionReport().replication.parkedUnits?.length ?? null, {});
  });
  gauge('tandem_sla_snapshot_rows', 'Rows that the snapshot under way, or the newest, has sent.', ['state'], (report) => {
    const { snapshot } = source.regionReport().replication;
    if (snapshot !== null) report(snapshot.rowsDone, { state: snapshot.state });
  });
  gauge('tandem_sla_units', 'Units by their home.', ['home'], (report) => {
    for (const [home, count] of Object.entries(source.report().units.byHome)) report(count, { home });
  });
  gauge('tandem_sla_alert', '1 while the alert stands.', ['alert', 'severity'], (report) => {
    const standing = new Set(source.regionReport().alerts.map((alert) => alert.name));
    for (const { name, severity } of ALERT_RULES) report(Number(standing.has(name)), { alert: name, severity });
  });
}
