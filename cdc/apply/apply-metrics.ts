/** Apply's numbers for /metrics: lag, rows, conflicts, how far behind, what is stuck. */
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import type { Apply } from './apply.ts';
import type { LagSample } from './lag.ts';
import type { Applied } from './partition-apply.ts';

const BATCH_BUCKETS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** What apply reports as it happens. */
export interface ApplyObserver {
  applied(applied: Applied): void;
  lag(sample: LagSample): void;
}

/** Label sets that come and go: one that is gone is reported as 0, or the last that was said of it would stand for ever. */
class Alarms<L extends object> {
  readonly #known = new Map<string, L>();

  with(on: readonly L[]): [labels: L, isOn: 0 | 1][] {
    for (const labels of on) this.#known.set(JSON.stringify(labels), labels);
    const now = new Set(on.map((labels) => JSON.stringify(labels)));
    return [...this.#known].map(([key, labels]) => [labels, now.has(key) ? 1 : 0]);
  }
}

export function observeApply(metrics: Metrics, current: () => Apply | undefined): ApplyObserver {
  const waiting = new Alarms<{ table: string; column: string }>();
  const parked = new Alarms<{ unit: number }>();
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
  metrics.observe('tandem_apply_schema_waiting', '1 while a partition waits for what the schema here lacks, by table and column.', ['table', 'column'], (report) => {
    const waits = (current()?.partitions ?? []).flatMap(({ waitsFor }) => (waitsFor === null ? [] : [{ table: waitsFor.table, column: waitsFor.column ?? '' }]));
    for (const [labels, isOn] of waiting.with(waits)) report(isOn, labels);
  });
  metrics.observe('tandem_apply_parked_unit', '1 for each unit whose changes wait behind one that could not be written.', ['unit'], (report) => {
    for (const [labels, isOn] of parked.with((current()?.parkedUnits ?? []).map((unit) => ({ unit })))) report(isOn, labels);
  });
  const letters = metrics.counter('tandem_apply_dead_letters_total', 'Changes parked instead of written: their own (poison), or of a waiting unit (held).', ['kind', 'unit']);
  const batchRows = metrics.histogram('tandem_apply_batch_rows', 'Changes written by one transaction.', { buckets: BATCH_BUCKETS });
  const spent = metrics.counter('tandem_apply_spent_ms_total', 'Time by what it was spent on: decode, write (deciding and building statements), wait (server), commit.', ['on']);
  return {
    applied: ({ report, changes, spentMs }) => {
      rows.add(report.applied);
      duplicates.add(report.duplicates + report.stale);
      batchRows.record(changes.length);
      for (const [kind, count] of Object.entries(report.conflicts)) conflicts.add(count, { kind });
      for (const { kind, unit } of report.letters) letters.add(1, { kind, unit: unit ?? 'unknown' });
      for (const [on, ms] of Object.entries(spentMs)) spent.add(Math.max(0, ms), { on });
    },
    lag: (sample) => lagMs.record(Math.max(0, sample.lagMs)),
  };
}
