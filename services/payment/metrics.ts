/** What payment measures of itself. */
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import type { ChargeCounts } from './coordinator/charge-loop.ts';

export function countCharges(metrics: Metrics): ChargeCounts {
  const charged = metrics.counter('payment_fares_charged_total', 'Fares charged by the coordinator.');
  const failed = metrics.counter('payment_charges_failed_total', 'Charges of the coordinator that failed and will be tried again.');
  const setAside = metrics.gauge('payment_fares_set_aside', 'Fares that failed and wait for another try.');
  setAside.set(0);
  return { charged: (fares) => charged.add(fares), failed: () => failed.add(1), setAside: (rides) => setAside.set(rides) };
}

export function countForgottenKeys(metrics: Metrics): (keys: number) => void {
  const forgotten = metrics.counter('payment_idempotency_keys_forgotten_total', 'Idempotency keys removed after their retention.');
  return (keys) => forgotten.add(keys);
}

/** `lastRoundMs` is when the coordinator last looked, ms since 1970. */
export function observeCoordinator(metrics: Metrics, coordinator: { readonly lastRoundMs: number | undefined }, nowMs: () => number): void {
  metrics.observe('payment_coordinator_age_ms', 'Time since the coordinator last looked for unpaid fares.', [], (report) => {
    if (coordinator.lastRoundMs !== undefined) report(nowMs() - coordinator.lastRoundMs);
  });
}
