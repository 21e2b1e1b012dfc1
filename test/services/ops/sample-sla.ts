/** A source of SLA figures that goes through the real record: ten minutes of a believable night, told second by second. */
import type { SlaSource } from '../../../services/ops/http/sla-routes.ts';
import { parsePrometheus } from '../../../services/ops/domain/prometheus-text.ts';
import type { RegionReport, SlaReport } from '../../../services/ops/domain/report.ts';
import type { Backlog } from '../../../services/ops/domain/replication-figures.ts';
import { RegionRecord } from '../../../services/ops/domain/region-record.ts';

const KINDS = ['router', 'dispatch', 'dispatch', 'pricing', 'location', 'payment', 'capture', 'apply', 'ops'];
const SECONDS = 600;

export class SampleSla implements SlaSource {
  readonly #records: Record<string, RegionRecord>;
  #second = 0;
  #requests = 0;
  #failed = 0;
  /** Test switches: what goes wrong from now on. */
  down = new Set<string>();
  peerSilentSinceMs: number | null = null;
  lagFactor = 1;
  /** Everything that can wait in the replication of east waits. */
  isReplicationIll = false;

  constructor(startMs: number) {
    this.#records = { east: recordOf('east', 'west'), west: recordOf('west', 'east') };
    for (let i = SECONDS; i > 0; i -= 1) this.tick(startMs - i * 1000);
  }

  tick(atMs: number): void {
    this.#second += 1;
    this.#requests += 42 + (this.#second % 9);
    if (this.#second % 300 === 0) this.#failed += 1;
    for (const [region, record] of Object.entries(this.#records)) {
      if (region === 'west' && this.peerSilentSinceMs !== null) continue;
      const base = region === 'east' ? 18 : 26;
      const spike = this.#second % 97 === 0 ? 60 : 0;
      record.observeLag([0, 200, 400, 600, 800].map((offset) => ({
        atMs: atMs + offset, lagMs: (base + ((this.#second * 7 + offset / 10) % 13) + spike) * this.lagFactor,
      })));
      record.observeScrape(new Map([...targetsOf(region).keys()].map((name) =>
        [name, this.down.has(name) ? { error: 'connection refused' } : parsePrometheus(this.#metricsOf(name))])), atMs);
      record.observeHeartbeat({ beat: String(this.#second * 5), writtenAtMs: atMs - 120 }, atMs);
      record.observeBacklog(this.#backlogOf(region), atMs);
      record.observeConfigHash('4be1d0c2a9f37755');
      record.observeRegistry({ state: 'active', peerHash: '4be1d0c2a9f37755' });
    }
  }

  regionReport(): RegionReport {
    return this.#records['east']!.report(Date.now());
  }

  report(): SlaReport {
    const atMs = Date.now();
    const isPeerReachable = this.peerSilentSinceMs === null;
    const homes = Array.from({ length: 64 }, (_, unit) => ({ unit, home: unit % 2 === 0 ? 'east' : 'west', epoch: unit === 9 ? 3 : 1 }));
    return {
      at: new Date(atMs).toISOString(), region: 'east', peer: 'west', isPeerReachable,
      regions: { east: this.regionReport(), west: this.#records['west']!.report(this.peerSilentSinceMs ?? atMs) },
      units: { homes, byHome: { east: 32, west: 32 }, readAtMs: atMs },
      leases: { east: 'held', west: isPeerReachable ? 'held' : 'missing' },
    };
  }

  #backlogOf(region: string): Backlog {
    const isIll = this.isReplicationIll && region === 'east';
    return {
      conflicts: { 'update-update': 3, 'unique': 1 },
      deadLetters: isIll ? { poison: 2, held: 31 } : { poison: 0, held: 0 },
      parkedUnits: isIll ? [9, 17] : [],
      snapshot: isIll ? { id: '4', state: 'running', table: 'ride_events', rowsDone: 1_250_000 } : null,
    };
  }

  #metricsOf(name: string): string {
    if (name.startsWith('router')) {
      return [
        `tandem_router_requests_total{source="client",answered_by="local",outcome="ok"} ${this.#requests}`,
        `tandem_router_requests_total{source="client",answered_by="peer",outcome="ok"} ${Math.floor(this.#requests / 2)}`,
        `tandem_router_requests_total{source="client",answered_by="none",outcome="unavailable"} ${this.#failed}`,
      ].join('\n');
    }
    const isIll = this.isReplicationIll && name.endsWith('-east');
    if (name.startsWith('apply')) {
      const waits = isIll ? '\ntandem_apply_schema_waiting{table="rides",column="boarding_note"} 1' : '';
      return `tandem_apply_offset_gap 4\ntandem_apply_rows_total ${this.#second * 31}${waits}`;
    }
    if (/^(dispatch|payment)/.test(name)) return isIll || this.isReplicationIll && name.includes('-east-') ? 'tandem_rpo_exposure_ms 8421\ntandem_rpo_guard_state 3' : 'tandem_rpo_exposure_ms 312\ntandem_rpo_guard_state 0';
    return `tandem_capture_rows_total ${this.#second * 29}\ntandem_capture_queue_bytes 524288\ntandem_capture_queue_limit_bytes 67108864`;
  }
}

function recordOf(region: string, peer: string): RegionRecord {
  return new RegionRecord({ region, peer, targets: targetsOf(region) });
}

function targetsOf(region: string): Map<string, string> {
  const names = KINDS.map((kind, i) => (kind === 'dispatch' ? `${kind}-${region}-${i}` : `${kind}-${region}`));
  return new Map(names.map((name, i) => [name, `http://127.0.0.1:${17_100 + i}`]));
}
