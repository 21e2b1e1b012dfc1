/** What the payment process reads from its environment. */
import type { ConfigOf, Env } from '../../shared/config/config.ts';
import { readConfig } from '../../shared/config/config.ts';
import { authConfig, baseConfig, mysqlConfig } from '../../shared/config/process-config.ts';

const SPEC = { ...baseConfig, ...mysqlConfig, ...authConfig } as const;
export type PaymentConfig = ConfigOf<typeof SPEC>;

/** Throws config-invalid, listing every bad key. */
export function readPaymentConfig(env: Env): PaymentConfig {
  return readConfig(SPEC, env);
}
