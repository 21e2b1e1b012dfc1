/** What the pricing process reads from its environment. */
import type { ConfigOf, Env } from '../../shared/config/config.ts';
import { readConfig } from '../../shared/config/config.ts';
import { baseConfig, grpcConfig, mysqlConfig } from '../../shared/config/process-config.ts';

const SPEC = { ...baseConfig, ...grpcConfig, ...mysqlConfig } as const;
export type PricingConfig = ConfigOf<typeof SPEC>;

/** Throws config-invalid, listing every bad key. */
export function readPricingConfig(env: Env): PricingConfig {
  return readConfig(SPEC, env);
}
