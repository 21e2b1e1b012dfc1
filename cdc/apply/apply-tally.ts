/** What apply has done so far, in numbers: for its metrics, its lag and its summary. */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { Regions } from '../../shared/kernel/region.ts';
import { HEARTBEAT_TABLE } from '../../shared/schema/tables.ts';
import type { ApplyObserver } from './apply-metrics.ts';
import { DriftWatch } from './drift-watch.ts';
import { LagRing, parseServerTime } from './lag.ts';
import type { Applied } from './partition-apply.ts';

export interface ApplyStats {
  rowsApplied: number;
  duplicates: number;
  stale: number;
  transactions: number;
  /** Changes parked since this process began. */
  parked: number;
  readonly conflictsByKind: Map<string, number>;
  /** ms by what they were spent on, over all partitions; `wait` and `commit` overlap with other partitions' work. */
  readonly spentMs: { decode: number; write: number; wait: number; commit: number };
}

export class ApplyTally {
  readonly stats: ApplyStats = {
    rowsApplied: 0, duplicates: 0, stale: 0, transactions: 0, parked: 0, conflictsByKind: new Map(), spentMs: { decode: 0, write: 0, wait: 0, commit: 0 },
  };
  readonly lag = new LagRing();
  readonly #nowMs: () => number;
  readonly #drift: DriftWatch;
  readonly #observer: ApplyObserver | undefined;

  constructor({ nowMs, regions, log, observer }: { nowMs: () => number; regions: Regions; log: LogSink; observer: ApplyObserver | undefined }) {
    this.#nowMs = nowMs;
    this.#observer = observer;
    this.#drift = new DriftWatch({ nowMs, regions, log });
  }

  get changesAhead(): number {
    return this.#drift.changesAhead;
  }

  /** After each commit. */
  note(applied: Applied): void {
    const { partition, changes, report, spentMs } = applied;
    const atMs = this.#nowMs();
    this.#observer?.applied(applied);
    for (const change of changes) {
      this.#drift.observe(change);
      if (change.table !== HEARTBEAT_TABLE) continue;
      const at = change.after?.['at'];
      if (typeof at !== 'string') continue;
      const sample = { atMs, lagMs: atMs - parseServerTime(at), partition };
      this.lag.add(sample);
      this.#observer?.lag(sample);
    }
    this.stats.transactions += 1;
    this.stats.rowsApplied += report.applied;
    this.stats.duplicates += report.duplicates;
    this.stats.stale += report.stale;
    this.stats.parked += report.letters.length;
    for (const [kind, count] of Object.entries(report.conflicts)) this.stats.conflictsByKind.set(kind, (this.stats.conflictsByKind.get(kind) ?? 0) + count);
    for (const what of ['decode', 'write', 'wait', 'commit'] as const) this.stats.spentMs[what] += spentMs[what];
  }
}
