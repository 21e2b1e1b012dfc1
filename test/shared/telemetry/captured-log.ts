/** A real log whose lines are kept and parsed. */
import { createLog } from '../../../shared/telemetry/log.ts';
import type { Log, LogLevel } from '../../../shared/telemetry/log.ts';

export interface CapturedLog {
  readonly log: Log;
  readonly text: () => string;
  readonly lines: () => Record<string, unknown>[];
}

export function captureLog(level: LogLevel = 'debug'): CapturedLog {
  const chunks: string[] = [];
  const log = createLog({ name: 'test', level, region: 'east', instance: 'test-east-1', destination: { write: (text) => void chunks.push(text) } });
  const text = (): string => chunks.join('');
  return { log, text, lines: () => text().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>) };
}
