/**
 * The weight of an instance: fast ones get more, failing ones next to nothing.
 *
 * Invariant: an instance that fails at least half of its calls never outweighs one that answers all of them, however fast
 * it fails and however slow the other is. (A failing process answers fast: latency alone would send it the traffic.)
 * No weight is 0: an instance without traffic yields no samples and could never earn its weight back.
 */
import type { WindowSummary } from './sample-window.ts';

export const WEIGHT_MIN = 1;
export const WEIGHT_MAX = 100;
/** Latency at which an instance has half of the full weight, and the numerator that makes 0 ms the full one. */
export const BASE_MS = 100;
/** How often weights are computed anew. */
export const RECOMPUTE_EVERY_MS = 5_000;
/** Below this success rate an instance counts as failing and only gets the trickle. */
export const FAILING_BELOW = 0.5;
/** What a failing instance keeps, so that its recovery is noticed; below every weight of a working one. */
export const TRICKLE_WEIGHT = 0.5;
export const SLOW_START_MS = 30_000;
export const SLOW_START_FROM = 0.1;

/** `clamp(100 * base / (p95 + 100), 1, 100) * success rate` (the design's formula), or the trickle for a failing instance. */
export function weightOf({ p95Ms, successRate }: Pick<WindowSummary, 'p95Ms' | 'successRate'>): number {
  if (successRate < FAILING_BELOW) return TRICKLE_WEIGHT;
  const byLatency = Math.min(WEIGHT_MAX, Math.max(WEIGHT_MIN, (WEIGHT_MAX * BASE_MS) / (p95Ms + BASE_MS)));
  return Math.max(TRICKLE_WEIGHT, byLatency * successRate);
}

/** The next weight; without samples the last one stands. */
export function nextWeight(last: number, summary: WindowSummary | null): number {
  return summary === null ? last : weightOf(summary);
}

/** The share of its weight that an instance gets `sinceRecoveryMs` after it came back: from a tenth to all, in a line. */
export function slowStartFactor(sinceRecoveryMs: number): number {
  const risen = Math.min(1, Math.max(0, sinceRecoveryMs / SLOW_START_MS));
  return SLOW_START_FROM + (1 - SLOW_START_FROM) * risen;
}
