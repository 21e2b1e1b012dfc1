/** Capture's numbers for /metrics: what went out, how full the queue is, how often it had to start over. */
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import { QUEUE_BYTES_MAX } from '../transport/change-producer.ts';
import type { Capture } from './capture.ts';
import type { Oddity } from './transaction-assembler.ts';

/** What capture reports as it happens. */
export interface CaptureObserver {
  sent(sent: { readonly messages: number; readonly bytes: number }): void;
  skipped(): void;
  sessionStarted(): void;
  oddity(kind: Oddity['kind']): void;
  /** Rows of a snapshot that Kafka has. */
  snapshotRows(rows: number): void;
}

export function observeCapture(metrics: Metrics, current: () => Capture | undefined): CaptureObserver {
  const rows = metrics.counter('tandem_capture_rows_total', 'Changes handed to Kafka, heartbeats once for each partition.');
  const bytes = metrics.counter('tandem_capture_bytes_total', 'Bytes of those changes.');
  const skipped = metrics.counter('tandem_capture_skipped_total', 'Changes that a session before had sent already.');
  const sessions = metrics.counter('tandem_capture_sessions_total', 'How often capture started from the tail of its topic.');
  const oddities = metrics.counter('tandem_capture_oddities_total', 'Rows that no trigger versioned, truncated tables.', ['kind']);
  const snapshotRows = metrics.counter('tandem_capture_snapshot_rows_total', 'Rows that snapshots have read and Kafka has.');
  metrics.observe('tandem_capture_refused', '1 for the code of what keeps capture from reading the binlog at all.', ['code'], (report) => {
    const code = current()?.status.troubleCode;
    if (code?.startsWith('capture-') === true) report(1, { code });
  });
  metrics.observe('tandem_capture_unsafe_setting', '1 for each database setting under which capture refuses to read, with its value.', ['setting', 'value'], (report) => {
    for (const { setting, value } of current()?.status.unsafeSettings ?? []) report(1, { setting, value });
  });
  metrics.observe('tandem_capture_queue_bytes', 'Changes in memory that Kafka has not taken yet.', [], (report) => report(current()?.queuedBytes ?? 0));
  metrics.observe('tandem_capture_queue_limit_bytes', 'Above this the binlog is left unread.', [], (report) => report(QUEUE_BYTES_MAX));
  metrics.observe('tandem_capture_streaming', '1 while the binlog is being read.', [], (report) => report(current()?.trouble === null ? 1 : 0));
  return {
    sent: (sent) => {
      rows.add(sent.messages);
      bytes.add(sent.bytes);
    },
    skipped: () => skipped.add(1),
    sessionStarted: () => sessions.add(1),
    oddity: (kind) => oddities.add(1, { kind }),
    snapshotRows: (count) => snapshotRows.add(count),
  };
}
