/**
 * What the innermost folders need of a log. The real one (shared/telemetry/log.ts) fits it; so does a test's array.
 *
 * Fields come first, the sentence second, as with pino. Nothing here formats, filters or redacts.
 */

export type LogLine = (fields: Record<string, unknown>, message: string) => void;

export interface LogSink {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
  readonly fatal: LogLine;
}
