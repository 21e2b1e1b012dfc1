/**
 * The pricing service, built but not started: its gRPC methods, its fare cards, and HTTP for health and metrics.
 * Invariant: it is ready once fare cards were read; a database that goes away later changes nothing. It reads no
 * environment and listens on nothing.
 */
import { buildHttp } from '../../shared/http/http-server.ts';
import type { HttpApp } from '../../shared/http/http-server.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../shared/mysql/database.ts';
import { rpcService } from '../../shared/rpc/rpc-server.ts';
import type { RpcService } from '../../shared/rpc/rpc-server.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import { observePricing } from './metrics.ts';
import { answerQuote } from './rpc/quote.ts';
import type { PricingMethods } from './rpc/quote.ts';
import { FareCardBook } from './store/fare-cards.ts';

export type PricingDeps = {
  readonly db: Sql;
  readonly nowMs: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
};

export function buildPricing({ db, nowMs, log, metrics }: PricingDeps): { readonly http: HttpApp; readonly rpc: RpcService; readonly cards: FareCardBook } {
  const cards = new FareCardBook({ db, log, nowMs });
  const counts = observePricing(metrics, cards, nowMs);
  const rpc = rpcService<PricingMethods>({
    protoPath: new URL('./rpc/pricing.proto', import.meta.url),
    packageName: 'tandem.pricing.v1',
    serviceName: 'Pricing',
    handlers: {
      Quote: async (request) => {
        const fare = answerQuote(request, { cards, nowMs });
        counts.quoted(request.pooled ? 'pooled' : 'solo');
        return fare;
      },
    },
  });
  const http = buildHttp({
    name: 'pricing',
    log,
    metrics,
    checks: {
      'fare-cards': async () => {
        if (cards.at(nowMs()) === undefined) throw new TandemError('not-ready', 'no fare card is in effect');
      },
    },
  });
  return { http, rpc, cards };
}
