/** What pricing measures of itself; calls and their durations are counted by shared/rpc. */
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import type { FareCardBook } from './store/fare-cards.ts';

export type PricingMetrics = { readonly quoted: (riding: 'solo' | 'pooled') => void };

/** `nowMs` is the wall clock the book reads by. */
export function observePricing(metrics: Metrics, cards: FareCardBook, nowMs: () => number): PricingMetrics {
  const quotes = metrics.counter('pricing_quotes_total', 'Fares told.', ['riding']);
  metrics.observe('pricing_fare_cards_age_ms', 'Time since the fare cards were last read well.', [], (report) => {
    if (cards.readAtMs !== undefined) report(nowMs() - cards.readAtMs);
  });
  metrics.observe('pricing_fare_card_version', 'Version of the fare card in effect.', [], (report) => {
    const card = cards.at(nowMs());
    if (card !== undefined) report(card.version);
  });
  return { quoted: (riding) => quotes.add(1, { riding }) };
}
