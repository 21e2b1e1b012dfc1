/**
 * What dispatch measures of itself.
 *
 * Invariant: names and labels are those the dashboards read; every label has a small fixed set of values. It is the one
 * place in dispatch that knows the metrics library's shape.
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
