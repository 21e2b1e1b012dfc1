/**
 * What replication is doing in one region, from what its processes and its database say: rates, queues, what waits and why.
 *
 * Invariant: a figure whose source has been silent for FRESH_MS is null, never its last value. Pure: the clock comes with every
 * observation. What waits is read in the database, so that it is known with apply down as well.
 */
import { CounterRate } from './counter-rate.ts';
import { sumOf } from './prometheus-text.ts';
import type { MetricSample } from './prometheus-text.ts';
import type { GuardReport, ReplicationReport } from './report.ts';

/** Older than this, an observation is history. Five rounds of the collector. */
export const FRESH_MS = 5_000;
/** What is counted in the database is looked at less often. */
const COUNTED_FRESH_MS = 30_000;
const MINUTE_MS = 60_000;
const CAPTURED = 'tandem_capture_rows_total';
const APPLIED = 'tandem_apply_rows_total';
/** As the services' gauge numbers them; see the page rpo-guard.md. */
const GUARD_STATES: Readonly<Record<number, GuardReport['state']>> = { [-1]: 'off', 0: 'clear', 1: 'warning', 2: 'throttling', 3: 'pausing' };

/** Counted in the region's database. */
export interface Backlog {
  readonly conflicts: Readonly<Record<string, number>>;
  readonly deadLetters: { readonly poison: number; readonly held: number };
  readonly parkedUnits: readonly number[];
  /** The one under way, else the newest; null where there was none. */
  readonly snapshot: NonNullable<ReplicationReport['snapshot']> | null;
}

/** The samples that processes of a kind (`apply`, `capture`, …) showed lately, each with the process's name. */
export type LiveSamples = (kind: string) => readonly (readonly [string, readonly MetricSample[]])[];

export class ReplicationFigures {
  readonly #captured = new CounterRate();
  readonly #applied = new CounterRate();
  #backlog: (Backlog & { readonly readAtMs: number }) | undefined;

  observeBacklog(backlog: Backlog, nowMs: number): void {
    this.#backlog = { ...backlog, readAtMs: nowMs };
  }

  /** After each round of looks at the processes. */
  observeRound(live: LiveSamples, nowMs: number): void {
    count(this.#captured, live('capture'), CAPTURED, nowMs);
    count(this.#applied, live('apply'), APPLIED, nowMs);
  }

  report(live: LiveSamples, nowMs: number): ReplicationReport {
    const total = (kind: string, metric: string): number | null => sumOf(live(kind).flatMap(([, samples]) => samples), metric);
    const perSecond = (kind: string, metric: string, rate: CounterRate): number | null =>
      total(kind, metric) === null ? null : rate.sumSince(nowMs - MINUTE_MS) / (MINUTE_MS / 1000);
    const seen = this.#backlog;
    const backlog = seen !== undefined && nowMs - seen.readAtMs <= COUNTED_FRESH_MS ? seen : undefined;
    const [bytes, limitBytes] = [total('capture', 'tandem_capture_queue_bytes'), total('capture', 'tandem_capture_queue_limit_bytes')];
    return {
      offsetGap: total('apply', 'tandem_apply_offset_gap'),
      rowsApplied: total('apply', APPLIED),
      rowsCaptured: total('capture', CAPTURED),
      rowsAppliedPerSecond: perSecond('apply', APPLIED, this.#applied),
      rowsCapturedPerSecond: perSecond('capture', CAPTURED, this.#captured),
      queue: bytes === null || limitBytes === null ? null : { bytes, limitBytes },
      conflicts: seen === undefined ? null : { total: sum(Object.values(seen.conflicts)), byKind: seen.conflicts, readAtMs: seen.readAtMs },
      deadLetters: backlog?.deadLetters ?? null,
      parkedUnits: backlog?.parkedUnits ?? null,
      schemaWaits: live('apply').length === 0 ? null : schemaWaits(live('apply').flatMap(([, samples]) => samples)),
      snapshot: backlog?.snapshot ?? null,
      guard: guardOf([...live('dispatch'), ...live('payment')].flatMap(([, samples]) => samples)),
    };
  }
}

function count(rate: CounterRate, live: ReturnType<LiveSamples>, metric: string, nowMs: number): void {
  const grown = live.flatMap(([name, samples]) => samples.filter((sample) => sample.name === metric).map((sample) =>
    rate.observe(`${name} ${JSON.stringify(sample.labels)}`, sample.value)));
  rate.add(nowMs, sum(grown));
}

/** `table.column`, or a table's name alone where it is the table that is not here. */
function schemaWaits(samples: readonly MetricSample[]): readonly string[] {
  const waits = samples.filter(({ name, value }) => name === 'tandem_apply_schema_waiting' && value > 0)
    .map(({ labels: { table = '', column = '' } }) => (column === '' ? table : `${table}.${column}`));
  return [...new Set(waits)].toSorted();
}

/** The gravest word of the services that have one: each sees the same database, at moments of its own. */
function guardOf(samples: readonly MetricSample[]): GuardReport | null {
  const valuesOf = (metric: string): number[] => samples.filter(({ name }) => name === metric).map(({ value }) => value);
  const states = valuesOf('tandem_rpo_guard_state');
  if (states.length === 0) return null;
  const exposures = valuesOf('tandem_rpo_exposure_ms');
  return { state: GUARD_STATES[Math.max(...states)] ?? 'clear', exposureMs: exposures.length === 0 ? null : Math.max(...exposures) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
