/**
 * What a dispatch process reads from its environment.
 *
 * Invariant: read once at the start, before anything connects; what may change while it runs is policy (policy.ts).
 */
import { hostPorts, readConfig } from '../../shared/config/config.ts';
import type { ConfigOf, Env } from '../../shared/config/config.ts';
import { authConfig, baseConfig, grpcConfig, mysqlConfig, redisConfig } from '../../shared/config/process-config.ts';

const spec = {
  ...baseConfig,
  ...grpcConfig,
  ...mysqlConfig,
  ...redisConfig,
  ...authConfig,
  pricing: hostPorts('TANDEM_PRICING_GRPC'),
  location: hostPorts('TANDEM_LOCATION_GRPC'),
} as const;

export type DispatchConfig = ConfigOf<typeof spec>;

/** Throws config-invalid with every bad key. */
export function readDispatchConfig(env: Env): DispatchConfig {
  return readConfig(spec, env);
}
