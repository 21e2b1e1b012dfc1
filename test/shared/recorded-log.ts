/** A log that keeps its lines, for tests that claim something about them. */
import type { LogSink } from '../../shared/kernel/log-sink.ts';

export interface RecordedLog extends LogSink {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[];
  /** The messages of warn and above. */
  loud(): string[];
}

export function recordedLog(): RecordedLog {
  const lines: RecordedLog['lines'] = [];
  const write = (level: string) => (fields: Record<string, unknown>, message: string): void => void lines.push({ level, message, fields });
  return {
    lines,
    loud: () => lines.filter(({ level }) => level !== 'debug' && level !== 'info').map(({ message }) => message),
    debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), fatal: write('fatal'),
  };
}
