/**
 * What dispatch measures of itself.
 *
 * Invariant: names and labels are those the dashboards read; every label has a small fixed set of values. The flows see
 * only the interface, so that they need no metrics library.
 */
import type { Metrics } from '../../shared/telemetry/metrics.ts';

export interface DispatchMetrics {
  offered(): void;
  offerEnded(reason: string): void;
  assigned(): void;
  completed(): void;
  rejected(reason: string): void;
  searchFailed(): void;
  turnTook(ms: number): void;
  turnFailed(): void;
  openRides(byStatus: ReadonlyMap<string, number>): void;
}

const OPEN_STATUSES = ['requested', 'assigned', 'arrived', 'onboard'] as const;

export function createDispatchMetrics(metrics: Metrics): DispatchMetrics {
  const offered = metrics.counter('dispatch_offers_total', 'Offers made to drivers.');
  const ended = metrics.counter('dispatch_offers_ended_total', 'Offers that ended without an accept.', ['reason']);
  const assigned = metrics.counter('dispatch_assignments_total', 'Rides that got a driver.');
  const completed = metrics.counter('dispatch_completions_total', 'Rides that were completed.');
  const rejected = metrics.counter('dispatch_rejections_total', 'Rides given up.', ['reason']);
  const searchFailed = metrics.counter('dispatch_search_failures_total', 'Searches for which location had no answer.');
  const turnMs = metrics.histogram('dispatch_turn_duration_ms', 'One turn of the dispatch loop.');
  const turnFailed = metrics.counter('dispatch_turn_failures_total', 'Turns of the dispatch loop that failed.');
  const open = metrics.gauge('dispatch_open_rides', 'Rides that are not over, in the database of this region.', ['status']);
  return {
    offered: () => offered.add(1),
    offerEnded: (reason) => ended.add(1, { reason }),
    assigned: () => assigned.add(1),
    completed: () => completed.add(1),
    rejected: (reason) => rejected.add(1, { reason }),
    searchFailed: () => searchFailed.add(1),
    turnTook: (ms) => turnMs.record(ms),
    turnFailed: () => turnFailed.add(1),
    openRides(byStatus) {
      for (const status of OPEN_STATUSES) open.set(byStatus.get(status) ?? 0, { status });
    },
  };
}

/** How near the followers of a feed are to their limit. */
export function observeFollowers(metrics: Metrics, feeds: Readonly<Record<string, { readonly followerCount: number }>>): void {
  metrics.observe('dispatch_followers', 'Event streams open in this process.', ['feed'], (report) => {
    for (const [feed, { followerCount }] of Object.entries(feeds)) report(followerCount, { feed });
  });
}
