/**
 * Pricing as dispatch sees it: the port over gRPC.
 *
 * Invariant: what is stored as a breakdown is the one JSON shape that pricing.proto describes, made here and nowhere else.
 */
import { openRpcClient } from '../../../shared/rpc/rpc-client.ts';
import type { RpcClient, RpcClientOptions } from '../../../shared/rpc/rpc-client.ts';
import type { FareRequest, PricedFare, Pricing } from '../ports.ts';

/** A quote waits for it, and a rider for the quote. */
const DEADLINE_MS = 1000;

/** Messages as pricing.proto has them. */
type Place = { lat: number; lon: number };
type QuoteRequest = {
  pickup: Place; dropoff: Place; distanceM: number; durationS: number; seats: number; pooled: boolean; atMs: string;
};
type Fare = {
  fareCents: number; currency: string; fareCardVersion: number; lines: { kind: string; label: string; cents: number }[];
  driverCents: number; commissionCents: number; taxCents: number;
};
interface PricingMethods {
  Quote(request: QuoteRequest): Promise<Fare>;
}

export type PricingClient = Pricing & Pick<RpcClient<PricingMethods>, 'isReady' | 'close'>;

export function openPricing(options: Pick<RpcClientOptions, 'targets' | 'log' | 'metrics'>): PricingClient {
  const client = openRpcClient<PricingMethods>({
    protoPath: new URL('../../pricing/rpc/pricing.proto', import.meta.url),
    packageName: 'tandem.pricing.v1',
    serviceName: 'Pricing',
    deadlineMs: DEADLINE_MS,
    ...options,
  });
  return {
    quote: async (request) => pricedFare(await client.call.Quote(quoteRequest(request))),
    get isReady() {
      return client.isReady;
    },
    close: () => client.close(),
  };
}

function quoteRequest({ atMs, ...request }: FareRequest): QuoteRequest {
  return { ...request, atMs: String(Math.floor(atMs)) };
}

function pricedFare({ fareCents, currency, fareCardVersion, lines, driverCents, commissionCents, taxCents }: Fare): PricedFare {
  const breakdown = JSON.stringify({ lines, driverCents, commissionCents, taxCents, fareCardVersion });
  return { fareCents, currency, fareCardVersion, breakdown };
}
