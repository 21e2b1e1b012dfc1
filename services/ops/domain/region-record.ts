/**
 * What one region's ops process has observed, and the report it makes of it.
 *
 * Invariant: nothing is reported as known that was not seen within FRESH_MS; figures of a process that is down are null, not
 * its last ones. Pure: the clock comes with every observation.
 */
import { AlertBook } from './alerts.ts';
import { CounterRate } from './counter-rate.ts';
import { scoreHealth } from './health-score.ts';
import type { MetricSample } from './prometheus-text.ts';
import { FRESH_MS, ReplicationFigures } from './replication-figures.ts';
import type { Backlog, LiveSamples } from './replication-figures.ts';
import type { ApiCounts, LagReport, RegionReport, TargetReport } from './report.ts';
import { bucketed, percentiles, Series } from './series.ts';

export const SERIES_BUCKET_MS = 5_000;
const MINUTE_MS = 60_000;
const TEN_MINUTES_MS = 600_000;
/** Five beats a second in each of up to 64 partitions would be 192,000; a sample of the newest is enough for percentiles. */
const LAG_SAMPLES_MAX = 20_000;
const REQUESTS = 'tandem_router_requests_total';
const FAILED_OUTCOMES: ReadonlySet<string> = new Set(['server-error', 'unavailable', 'timeout']);

interface Target {
  readonly url: string;
  isUp: boolean;
  sinceMs: number | null;
  lastSeenMs: number | null;
  error: string | null;
  samples: readonly MetricSample[];
}

export class RegionRecord {
  readonly #region: string;
  readonly #peer: string;
  readonly #targets = new Map<string, Target>();
  readonly #lag = new Series(LAG_SAMPLES_MAX);
  readonly #requests = new CounterRate();
  readonly #failed = new CounterRate();
  readonly #carried = new CounterRate();
  readonly #alerts = new AlertBook();
  #heartbeat: { beat: string; writtenAtMs: number; readAtMs: number } | undefined;
  readonly #replication = new ReplicationFigures();
  #configHash: string | null = null;
  #registry: { state: string | null; peerHash: string | null } = { state: null, peerHash: null };

  constructor(options: { region: string; peer: string; targets: ReadonlyMap<string, string> }) {
    this.#region = options.region;
    this.#peer = options.peer;
    for (const [name, url] of options.targets) {
      this.#targets.set(name, { url, isUp: false, sinceMs: null, lastSeenMs: null, error: null, samples: [] });
    }
  }

  /** One round of looks at all targets; `error` says why one could not be read. */
  observeScrape(results: ReadonlyMap<string, { samples: readonly MetricSample[] } | { error: string }>, nowMs: number): void {
    for (const [name, result] of results) {
      const target = this.#targets.get(name);
      if (target === undefined) continue;
      const isUp = 'samples' in result;
      if (target.sinceMs === null || target.isUp !== isUp) target.sinceMs = nowMs;
      target.isUp = isUp;
      target.error = isUp ? null : result.error;
      if (isUp) {
        target.samples = result.samples;
        target.lastSeenMs = nowMs;
      }
    }
    this.#countRequests(nowMs);
    this.#replication.observeRound(this.#live(nowMs), nowMs);
  }

  observeLag(samples: readonly { atMs: number; lagMs: number }[]): void {
    for (const { atMs, lagMs } of samples.toSorted((a, b) => a.atMs - b.atMs)) this.#lag.add(atMs, lagMs);
  }

  /** Where the next question for lag samples begins. */
  get lagSeenUntilMs(): number { return this.#lag.last?.atMs ?? 0; }

  observeHeartbeat(heartbeat: { beat: string; writtenAtMs: number }, nowMs: number): void {
    this.#heartbeat = { ...heartbeat, readAtMs: nowMs };
  }

  observeBacklog(backlog: Backlog, nowMs: number): void { this.#replication.observeBacklog(backlog, nowMs); }

  observeConfigHash(hash: string): void { this.#configHash = hash; }

  observeRegistry(registry: { state: string | null; peerHash: string | null }): void { this.#registry = registry; }

  report(nowMs: number): RegionReport {
    const lag = this.#lagReport(nowMs);
    const oneMinute = this.#apiCounts(nowMs - MINUTE_MS, nowMs);
    const replication = this.#replication.report(this.#live(nowMs), nowMs);
    const { offsetGap } = replication;
    const { state, peerHash } = this.#registry;
    const isEqual = this.#configHash === null || peerHash === null ? null : this.#configHash === peerHash;
    const { successRate } = oneMinute;
    const health = scoreHealth({ lagMs: lag.currentMs, successRate, offsetGap, isConfigEqual: isEqual });
    const isMeasured = [...this.#targets.values()].some((target) => target.sinceMs !== null);
    const errorRate = successRate === null ? null : 1 - successRate;
    return {
      region: this.#region,
      atMs: nowMs,
      state,
      health,
      lag,
      api: { oneMinute, tenMinutes: this.#apiCounts(nowMs - TEN_MINUTES_MS, nowMs), series: this.#apiSeries(nowMs) },
      replication,
      config: { hash: this.#configHash, peerHash, isEqual },
      targets: this.#targetReports(),
      alerts: this.#alerts.look({ lagMs: lag.currentMs, errorRate, score: health.score, isMeasured, replication }, nowMs),
    };
  }

  #lagReport(nowMs: number): LagReport {
    const values = (spanMs: number): number[] => this.#lag.since(nowMs - spanMs).map((point) => point.value);
    const oneMinute = percentiles(values(MINUTE_MS));
    const { last } = this.#lag;
    const isFresh = last !== undefined && nowMs - last.atMs <= FRESH_MS;
    const heartbeat = this.#freshHeartbeat(nowMs);
    return {
      from: this.#peer,
      to: this.#region,
      // A silent apply has no lag to tell, but the peer's newest heartbeat in our database has an age.
      currentMs: isFresh ? oneMinute.p99 : (heartbeat?.ageMs ?? null),
      lastMs: last?.value ?? null,
      lastAtMs: last?.atMs ?? null,
      oneMinute,
      tenMinutes: percentiles(values(TEN_MINUTES_MS)),
      series: bucketed(this.#lag.since(nowMs - TEN_MINUTES_MS), SERIES_BUCKET_MS),
      heartbeat,
    };
  }

  #freshHeartbeat(nowMs: number): LagReport['heartbeat'] {
    const seen = this.#heartbeat;
    if (seen === undefined || nowMs - seen.readAtMs > FRESH_MS) return null;
    // A peer whose clock is ahead of ours would make an age below zero.
    const ageMs = Math.max(0, nowMs - seen.writtenAtMs);
    return { beat: seen.beat, writtenAtMs: seen.writtenAtMs, ageMs };
  }

  /** Sums the counters of every router of the region into what happened since the last round. */
  #countRequests(nowMs: number): void {
    const grown = { requests: 0, failed: 0, carried: 0 };
    for (const [name, target] of this.#liveTargets('router', nowMs)) {
      for (const { name: metric, labels, value } of target.samples) {
        if (metric !== REQUESTS || labels['source'] === 'peer') continue;
        const growth = this.#requests.observe(`${name} ${JSON.stringify(labels)}`, value);
        if (labels['outcome'] === 'aborted') continue;
        grown.requests += growth;
        if (FAILED_OUTCOMES.has(labels['outcome'] ?? '')) grown.failed += growth;
        if (labels['answered_by'] === 'peer') grown.carried += growth;
      }
    }
    this.#requests.add(nowMs, grown.requests);
    this.#failed.add(nowMs, grown.failed);
    this.#carried.add(nowMs, grown.carried);
  }

  #apiCounts(sinceMs: number, nowMs: number): ApiCounts {
    const requests = this.#requests.sumSince(sinceMs);
    const failed = this.#failed.sumSince(sinceMs);
    const isKnown = this.#liveTargets('router', nowMs).length > 0;
    const successRate = !isKnown ? null : requests === 0 ? 1 : 1 - failed / requests;
    return { requests, failed, successRate, carried: this.#carried.sumSince(sinceMs) };
  }

  #apiSeries(nowMs: number): { atMs: number; requests: number; failed: number }[] {
    const at = new Map<number, { atMs: number; requests: number; failed: number }>();
    const bucket = (atMs: number) => {
      const start = Math.floor(atMs / SERIES_BUCKET_MS) * SERIES_BUCKET_MS;
      const found = at.get(start) ?? { atMs: start, requests: 0, failed: 0 };
      at.set(start, found);
      return found;
    };
    for (const point of this.#requests.points(nowMs - TEN_MINUTES_MS)) bucket(point.atMs).requests += point.value;
    for (const point of this.#failed.points(nowMs - TEN_MINUTES_MS)) bucket(point.atMs).failed += point.value;
    return [...at.values()];
  }

  #live(nowMs: number): LiveSamples {
    return (kind) => this.#liveTargets(kind, nowMs).map(([name, { samples }]) => [name, samples] as const);
  }

  #liveTargets(kind: string, nowMs: number): [string, Target][] {
    return [...this.#targets].filter(([name, target]) =>
      name.startsWith(`${kind}-`) && target.lastSeenMs !== null && nowMs - target.lastSeenMs <= FRESH_MS);
  }

  #targetReports(): TargetReport[] {
    return [...this.#targets].map(([name, { url, isUp, sinceMs, lastSeenMs, error }]) =>
      ({ name, url, isUp, sinceMs, lastSeenMs, error }));
  }
}
