/** What the location process reads from its environment. */
import type { ConfigOf, Env } from '../../shared/config/config.ts';
import { hostPorts, readConfig } from '../../shared/config/config.ts';
import { authConfig, baseConfig, grpcConfig, redisConfig } from '../../shared/config/process-config.ts';

const SPEC = { ...baseConfig, ...grpcConfig, ...redisConfig, ...authConfig, dispatchGrpc: hostPorts('TANDEM_DISPATCH_GRPC') } as const;
export type LocationConfig = ConfigOf<typeof SPEC>;

/** Throws config-invalid, listing every bad key. */
export function readLocationConfig(env: Env): LocationConfig {
  return readConfig(SPEC, env);
}
