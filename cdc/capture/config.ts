/** What the capture process reads from its environment. */
import { reader } from '../../shared/config/config.ts';
import type { ConfigOf } from '../../shared/config/config.ts';
import { baseConfig, changeConfig, controlConfig, kafkaConfig, mysqlConfig } from '../../shared/config/process-config.ts';
import { START_MODES_EXPECTED, parseStartMode } from './start-mode.ts';

export const captureConfig = {
  ...baseConfig, ...mysqlConfig, ...kafkaConfig, ...changeConfig, ...controlConfig,
  /** Where capture begins on an empty topic; `resume` by default. */
  start: reader('TANDEM_CAPTURE_START', START_MODES_EXPECTED, parseStartMode, { kind: 'resume' }),
} as const;
export type CaptureConfig = ConfigOf<typeof captureConfig>;
