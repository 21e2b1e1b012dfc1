/** What the apply process reads from its environment: its own database, the peer's Kafka. */
import type { ConfigOf } from '../../shared/config/config.ts';
import { baseConfig, controlConfig, mysqlConfig, peerKafkaConfig } from '../../shared/config/process-config.ts';

export const applyConfig = { ...baseConfig, ...mysqlConfig, ...peerKafkaConfig, ...controlConfig } as const;
export type ApplyConfig = ConfigOf<typeof applyConfig>;
