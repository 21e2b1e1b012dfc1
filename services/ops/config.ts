/** What the ops process reads from its environment: whom it watches, and where its peer is. Nothing connects here. */
import type { ConfigOf, Env } from '../../shared/config/config.ts';
import { namedUrls, readConfig, url } from '../../shared/config/config.ts';
import { baseConfig, mysqlConfig } from '../../shared/config/process-config.ts';

const spec = {
  ...baseConfig,
  ...mysqlConfig,
  /** Every process of the region that serves /metrics: "router-east=http://…;apply-east=http://…". */
  targets: namedUrls('TANDEM_TARGETS'),
  peerOps: url('TANDEM_PEER_OPS'),
} as const;

export type OpsConfig = ConfigOf<typeof spec>;

/** Throws config-invalid. */
export function readOpsConfig(env: Env): OpsConfig {
  return readConfig(spec, env);
}
