/** What the capture process reads from its environment. */
import type { ConfigOf } from '../../shared/config/config.ts';
import { baseConfig, changeConfig, controlConfig, kafkaConfig, mysqlConfig } from '../../shared/config/process-config.ts';

export const captureConfig = { ...baseConfig, ...mysqlConfig, ...kafkaConfig, ...changeConfig, ...controlConfig } as const;
export type CaptureConfig = ConfigOf<typeof captureConfig>;
