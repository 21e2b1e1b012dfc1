/** What the apply process reads from its environment: its own database, the peer's Kafka and its own region's. */
import { integer, oneOf, optional, text } from '../../shared/config/config.ts';
import type { ConfigOf } from '../../shared/config/config.ts';
import { baseConfig, controlConfig, kafkaConfig, mysqlConfig, peerKafkaConfig } from '../../shared/config/process-config.ts';
import { POISON_POLICIES } from './letters.ts';

export const applyConfig = {
  ...baseConfig, ...mysqlConfig, ...peerKafkaConfig, ...kafkaConfig, ...controlConfig,
  /** How often a change that its own data keeps from being written is tried before it is parked. */
  tries: integer('TANDEM_APPLY_TRIES', { min: 1, max: 1_000, default: 5 }),
  /** What its unit does then. */
  poisonPolicy: oneOf('TANDEM_POISON_POLICY', POISON_POLICIES, { default: 'pause-unit' }),
  /** Path of the rules file; the shipped one where it is not set. Both regions must have the same. */
  conflictRules: optional(text('TANDEM_CONFLICT_RULES')),
} as const;
export type ApplyConfig = ConfigOf<typeof applyConfig>;
