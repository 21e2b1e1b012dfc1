/** The report of a region follows from what was observed, and forgets it in time. */
import { describe, expect, it } from 'vitest';
import { RegionRecord } from '../../../services/ops/domain/region-record.ts';
import { FRESH_MS } from '../../../services/ops/domain/replication-figures.ts';
import { parsePrometheus } from '../../../services/ops/domain/prometheus-text.ts';

const TARGETS = new Map([['router-east', 'http://r'], ['apply-east', 'http://a'], ['capture-east', 'http://c']]);
const START_MS = 1_000_000;

describe('the region record', () => {
  it('a region of which nothing is known has no score, and says so part by part', () => {
    const report = newRecord().report(START_MS);
    expect(report.health.score).toBe(0);
    expect(report.lag).toMatchObject({ from: 'west', to: 'east', currentMs: null, lastMs: null, heartbeat: null });
    expect(report.api.oneMinute.successRate).toBeNull();
    expect(Object.values(report.replication).every((figure) => figure === null)).toBe(true);
    expect(report.targets.every((target) => !target.isUp && target.sinceMs === null)).toBe(true);
  });

  it('a healthy region scores 100', () => {
    expect(healthy().report(START_MS + 1_000).health.score).toBe(100);
  });

  it('counts errors of its own clients only, not those it answered for the peer', () => {
    const record = newRecord();
    scrape(record, START_MS, { ok: 0, failed: 0, forPeer: 0 });
    scrape(record, START_MS + 1_000, { ok: 95, failed: 5, forPeer: 1_000 });
    const { oneMinute } = record.report(START_MS + 1_000).api;
    expect(oneMinute).toMatchObject({ requests: 100, failed: 5 });
    expect(oneMinute.successRate).toBeCloseTo(0.95);
  });

  it('a router that cannot be read makes success unknown, not perfect', () => {
    const record = healthy();
    const laterMs = START_MS + 1_000 + FRESH_MS + 1;
    record.observeScrape(new Map([['router-east', { error: 'connection refused' }]]), laterMs);
    const report = record.report(laterMs);
    expect(report.api.oneMinute.successRate).toBeNull();
    expect(report.targets[0]).toMatchObject({ name: 'router-east', isUp: false, error: 'connection refused', sinceMs: laterMs });
  });

  it('when apply falls silent the age of the heartbeat in the database takes over, and pages', () => {
    const record = healthy();
    const laterMs = START_MS + 1_000 + 9_000;
    record.observeHeartbeat({ beat: '7', writtenAtMs: START_MS + 1_000 }, laterMs);
    const report = record.report(laterMs);
    expect(report.lag.currentMs).toBe(9_000);
    expect(report.alerts.map((alert) => alert.severity)).toEqual(['P0', 'P2']);
  });

  it('different configurations cost ten points', () => {
    const record = healthy();
    record.observeRegistry({ state: 'active', peerHash: 'other' });
    expect(record.report(START_MS + 1_000).health.score).toBe(90);
  });
});

function newRecord(): RegionRecord {
  return new RegionRecord({ region: 'east', peer: 'west', targets: TARGETS });
}

function healthy(): RegionRecord {
  const record = newRecord();
  scrape(record, START_MS, { ok: 10, failed: 0, forPeer: 0 });
  scrape(record, START_MS + 1_000, { ok: 20, failed: 0, forPeer: 0 });
  record.observeLag([{ atMs: START_MS + 900, lagMs: 25 }, { atMs: START_MS + 700, lagMs: 20 }]);
  record.observeConfigHash('same');
  record.observeRegistry({ state: 'active', peerHash: 'same' });
  return record;
}

function scrape(record: RegionRecord, atMs: number, counts: { ok: number; failed: number; forPeer: number }): void {
  const router = `
tandem_router_requests_total{source="client",answered_by="local",outcome="ok"} ${counts.ok}
tandem_router_requests_total{source="client",answered_by="none",outcome="unavailable"} ${counts.failed}
tandem_router_requests_total{source="peer",answered_by="local",outcome="server-error"} ${counts.forPeer}`;
  record.observeScrape(
    new Map([
      ['router-east', parsePrometheus(router)],
      ['apply-east', parsePrometheus('tandem_apply_offset_gap{partition="0"} 3\ntandem_apply_offset_gap{partition="1"} 4\ntandem_apply_rows_total 9')],
      ['capture-east', parsePrometheus('tandem_capture_rows_total 8')],
    ]),
    atMs,
  );
}
