/** Apply's numbers for /metrics: lag, rows, conflicts, how far behind, what is stuck. */
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import type { Apply } from './apply.ts';
import type { LagSample } from './lag.ts';
import type { Applied } from './partition-apply.ts';

/** What apply reports as it happens. */
export interface ApplyObserver {
  applied(applied: Applied): void;
  lag(sample: LagSample): void;
}

export function observeApply(metrics: Metrics, current: () => Apply | undefined): ApplyObserver {
  const rows = metrics.counter('tandem_apply_rows_total', 'Changes of the peer written here.');
  const duplicates = metrics.counter('tandem_apply_duplicates_total', 'Changes that were here already, or older than what stands.');
  const conflicts = metrics.counter('tandem_apply_conflicts_total', 'Conflicts met, by kind; each leaves a row in _conflicts.', ['kind']);
  const lagMs = metrics.histogram('tandem_apply_lag_duration_ms', 'From the write of a heartbeat in the peer to its commit here.');
  metrics.observe('tandem_apply_lag_ms', 'The latest of those.', [], (report) => {
    const last = current()?.lag.last;
    if (last !== undefined) report(last.lagMs);
  });
  metrics.observe('tandem_apply_offset_gap', 'Messages in the topic that are not applied yet.', ['partition'], (report) => {
    for (const { partition, behind } of current()?.partitions ?? []) report(Number(behind), { partition });
  });
  metrics.observe('tandem_apply_partition_stuck', '1 while a partition cannot go on; its log says why.', ['partition'], (report) => {
    for (const { partition, trouble } of current()?.partitions ?? []) report(trouble === null ? 0 : 1, { partition });
  });
  metrics.observe('tandem_apply_changes_ahead', 'Changes whose version was far ahead of the local clock.', [], (report) => report(current()?.changesAhead ?? 0));
  return {
    applied: ({ report }) => {
      rows.add(report.applied);
      duplicates.add(report.duplicates + report.stale);
      for (const { kind } of report.conflicts) conflicts.add(1, { kind });
    },
    lag: (sample) => lagMs.record(Math.max(0, sample.lagMs)),
  };
}
