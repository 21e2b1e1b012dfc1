/**
 * Gathers what the SLA report is made of, each source at its own pace, and keeps the region's word in etcd.
 *
 * Invariant: one source that fails leaves the others as they are; what it would have told turns unknown by itself, as
 * figures are only good for FRESH_MS (domain/region-record.ts).
 */
import type { Etcd } from '../../../shared/etcd/etcd.ts';
import { REGIONS_PREFIX } from '../../../shared/etcd/regions.ts';
import type { UnitMap } from '../../../shared/etcd/units.ts';
import type { Watch } from '../../../shared/etcd/watch.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import type { Regions } from '../../../shared/kernel/region.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { UNIT_COUNT } from '../../../shared/unit/unit.ts';
import { hashConfig } from '../domain/config-hash.ts';
import { RegionRecord } from '../domain/region-record.ts';
import { FRESH_MS } from '../domain/replication-figures.ts';
import type { RegionReport, SlaReport, UnitReport } from '../domain/report.ts';
import { readBacklog, readHeartbeat, readMigrations } from './database-witness.ts';
import { entryOf, LEASES_PREFIX, RegionRegistry } from './region-registry.ts';
import { Rounds } from './rounds.ts';
import { fetchLag, fetchText, scrapeAll } from './scrape.ts';

const EVERY_SECOND_MS = 1_000;
const BACKLOG_EVERY_MS = 5_000;
const CONFIG_EVERY_MS = 5_000;
const LEASE_EVERY_MS = 2_000;
const CONFIG_PREFIX = '/tandem/config/';
const LAG_WINDOW_MS = 600_000;

export interface CollectorDeps {
  readonly region: string;
  readonly regions: Regions;
  readonly instance: string;
  readonly targets: ReadonlyMap<string, string>;
  readonly peerOps: string;
  readonly db: Database;
  readonly etcd: Etcd;
  readonly log: LogSink;
  /** Since 1970. */
  readonly nowMs: () => number;
}

export class Collector {
  readonly #deps: CollectorDeps;
  readonly #peer: string;
  readonly #record: RegionRecord;
  readonly #registry: RegionRegistry;
  readonly #rounds: Rounds;
  readonly #abort = new AbortController();
  #units: UnitMap | undefined;
  #leaseWatch: Watch | undefined;
  #snapshot = { regions: new Map<string, string>(), policies: new Map<string, string>() };
  #peerReport: { report: RegionReport; seenAtMs: number } | undefined;

  constructor(deps: CollectorDeps) {
    const { region, regions, targets, etcd, instance, log } = deps;
    this.#deps = deps;
    this.#peer = regions.peerOf(region);
    this.#record = new RegionRecord({ region, peer: this.#peer, targets });
    this.#registry = new RegionRegistry({ etcd, region, holder: instance, log });
    this.#rounds = new Rounds(log);
  }

  /** `watch` opens the map of units; it resolves once etcd has told it. */
  async start(watch: () => Promise<UnitMap>): Promise<void> {
    const { etcd } = this.#deps;
    const { signal } = this.#abort;
    this.#units = await watch();
    await etcd.watchPrefix(REGIONS_PREFIX, (all) => { this.#snapshot.regions = new Map(all); }, signal);
    this.#leaseWatch = await etcd.watchPrefix(LEASES_PREFIX, () => {}, signal);
    await etcd.watchPrefix(CONFIG_PREFIX, (all) => { this.#snapshot.policies = new Map(all); }, signal);
    this.#rounds.start([
      { name: 'the scrape', everyMs: EVERY_SECOND_MS, run: () => this.#scrape() },
      { name: 'the lag', everyMs: EVERY_SECOND_MS, run: () => this.#readLag() },
      { name: 'the heartbeat', everyMs: EVERY_SECOND_MS, run: () => this.#readHeartbeat() },
      { name: 'the backlog', everyMs: BACKLOG_EVERY_MS, run: () => this.#readBacklog() },
      { name: 'the peer', everyMs: EVERY_SECOND_MS, run: () => this.#readPeer() },
      { name: 'the lease', everyMs: LEASE_EVERY_MS, run: () => this.#registry.holdLease() },
      { name: 'the configuration', everyMs: CONFIG_EVERY_MS, run: () => this.#publishConfig() },
    ]);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#rounds.stop();
    await this.#registry.stop();
    this.#units?.stop();
  }

  /** This region alone: what the peer's ops process asks for. */
  regionReport(): RegionReport {
    const { region } = this.#deps;
    const own = entryOf(this.#snapshot.regions, region);
    const peer = entryOf(this.#snapshot.regions, this.#peer);
    this.#record.observeRegistry({ state: own?.state ?? null, peerHash: peer?.configHash ?? null });
    return this.#record.report(this.#deps.nowMs());
  }

  report(): SlaReport {
    const { region, regions, nowMs } = this.#deps;
    const atMs = nowMs();
    const peer = this.#peerReport;
    const reports = { [region]: this.regionReport(), [this.#peer]: peer?.report ?? null };
    return {
      at: new Date(atMs).toISOString(),
      region,
      peer: this.#peer,
      regions: Object.fromEntries(regions.names.map((name) => [name, reports[name] ?? null])),
      isPeerReachable: peer !== undefined && atMs - peer.seenAtMs <= FRESH_MS,
      units: this.#unitReports(atMs),
      leases: Object.fromEntries(regions.names.map((name) => [name, this.#leaseOf(name)])),
    };
  }

  #leaseOf(region: string): SlaReport['leases'][string] {
    // A lease is only as good as the word of a majority: without one nobody knows whether it has run out.
    if (this.#leaseWatch === undefined || this.#leaseWatch.staleMs() > FRESH_MS) return 'unknown';
    return this.#leaseWatch.snapshot.has(LEASES_PREFIX + region) ? 'held' : 'missing';
  }

  #unitReports(atMs: number): SlaReport['units'] {
    const units = this.#units;
    if (units === undefined) return { homes: [], byHome: {}, readAtMs: null };
    const homes = Array.from({ length: UNIT_COUNT }, (_, unit): UnitReport => ({ unit, ...units.homeOf(unit) }));
    return { homes, byHome: units.countByHome(), readAtMs: atMs - units.staleMs() };
  }

  async #scrape(): Promise<void> {
    this.#record.observeScrape(await scrapeAll(this.#deps.targets), this.#deps.nowMs());
    // Alerts with a duration need a look each round, whether or not somebody asks.
    this.regionReport();
  }

  async #readLag(): Promise<void> {
    const sinceMs = Math.max(this.#record.lagSeenUntilMs, this.#deps.nowMs() - LAG_WINDOW_MS);
    const applies = [...this.#deps.targets].filter(([name]) => name.startsWith('apply-'));
    const samples = await Promise.all(applies.map(([, url]) => fetchLag(url, sinceMs)));
    // A sample exactly at sinceMs may come again.
    this.#record.observeLag(samples.flat().filter((sample) => sample.atMs > sinceMs));
  }

  async #readHeartbeat(): Promise<void> {
    const heartbeat = await readHeartbeat(this.#deps.db, this.#deps.regions.originOf(this.#peer));
    if (heartbeat !== null) this.#record.observeHeartbeat(heartbeat, this.#deps.nowMs());
  }

  async #readBacklog(): Promise<void> {
    this.#record.observeBacklog(await readBacklog(this.#deps.db), this.#deps.nowMs());
  }

  async #readPeer(): Promise<void> {
    const report = JSON.parse(await fetchText(`${this.#deps.peerOps}/api/sla/region`)) as RegionReport;
    this.#peerReport = { report, seenAtMs: this.#deps.nowMs() };
  }

  async #publishConfig(): Promise<void> {
    const { db, regions, nowMs } = this.#deps;
    const hash = hashConfig({ regions: String(regions), policies: this.#snapshot.policies, migrations: await readMigrations(db) });
    this.#record.observeConfigHash(hash);
    await this.#registry.publish(hash, nowMs());
  }
}
