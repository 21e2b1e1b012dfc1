/** What the router reads from its environment: the instances of its region's services, and the peer's router. */
import type { ConfigOf, Env } from '../../shared/config/config.ts';
import { namedHostPorts, readConfig, url } from '../../shared/config/config.ts';
import { authConfig, baseConfig } from '../../shared/config/process-config.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { SERVICES } from './domain/route-table.ts';

const spec = {
  ...baseConfig,
  ...authConfig,
  /** "dispatch=127.0.0.1:1,127.0.0.1:2;location=…;payment=…". */
  upstreams: namedHostPorts('TANDEM_UPSTREAMS'),
  peerRouter: url('TANDEM_PEER_ROUTER', { protocols: ['http:'] }),
} as const;

export type RouterConfig = ConfigOf<typeof spec>;

/** Throws config-invalid. */
export function readRouterConfig(env: Env): RouterConfig {
  const config = readConfig(spec, env);
  const missing = SERVICES.filter((service) => !config.upstreams.has(service));
  if (missing.length > 0) {
    const problems = [`TANDEM_UPSTREAMS: expected an entry for each of ${SERVICES.join(', ')}, got none for ${missing.join(', ')}`];
    throw new TandemError('config-invalid', problems.join('\n'), { details: { problems } });
  }
  return config;
}
