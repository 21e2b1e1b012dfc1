/** The log of the one-shot steps: one JSON object a line on stdout, which the supervisor keeps in the step's file. */
import type { LogSink } from '../../../shared/kernel/log-sink.ts';

type Level = keyof LogSink;

export const stdoutLog: LogSink = {
  debug: () => {},
  info: write('info'),
  warn: write('warn'),
  error: write('error'),
  fatal: write('fatal'),
};

function write(level: Level): LogSink[Level] {
  return (fields, message) => {
    const line = JSON.stringify({ level, time: new Date().toISOString(), ...fields, msg: message }, (_, value: unknown) => plain(value));
    process.stdout.write(`${line}\n`);
  };
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Error ? { message: value.message, stack: value.stack } : value;
}
