/**
 * The log of a process: one JSON object a line on stdout, with the fields that say which process of which region spoke.
 *
 * Invariant: a line written while a trace is active carries its ids; the secrets named in REDACTED never appear.
 * It does not rotate, ship or sample lines; whoever runs the process reads its stdout.
 */
import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { currentTrace } from './trace-context.ts';

export type Log = Logger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const SECRETS = ['authorization', 'password', 'otp', 'token', 'access_token', 'secret', 'cookie'] as const;
/** At the top of a line, one level down, and in the headers of a logged request. */
const REDACTED = [...SECRETS.flatMap((name) => [name, `*.${name}`]), 'req.headers.authorization', 'err.details.otp', 'err.details.token'];

export interface LogOptions {
  readonly name: string;
  readonly level: LogLevel;
  readonly region: string;
  readonly instance: string;
  /** Where lines go; stdout by default. */
  readonly destination?: DestinationStream;
}

export function createLog({ name, level, region, instance, destination }: LogOptions): Log {
  const options = {
    level,
    base: { service: name, region, instance, pid: process.pid },
    redact: { paths: [...REDACTED], censor: '[redacted]' },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => currentTrace() ?? {},
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
