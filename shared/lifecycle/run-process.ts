/**
 * What every main.ts does with its composition: start it, and end it well on a signal or on an error nobody caught.
 *
 * Invariant: the process exits 0 after a clean stop, 2 when its configuration is wrong, 1 otherwise; never silently.
 * It composes nothing itself: which parts there are is main.ts's affair.
 */
import closeWithGrace from 'close-with-grace';
import { CODES } from '../kernel/codes.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { isTandemError } from '../kernel/tandem-error.ts';
import { DRAIN_BUDGET_MS, Lifecycle } from './lifecycle.ts';

/** From the signal to the end: the drains, then the stops. A supervisor that sends SIGKILL waits longer than this. */
export const GRACE_MS = DRAIN_BUDGET_MS + 5_000;

export const EXIT_FAILED = 1;
export const EXIT_CONFIG_INVALID = 2;

/** What `compose` hands back: the log to use from then on. */
export interface Composed {
  readonly log: LogSink;
}

/**
 * Runs `compose`, which reads the configuration, builds the parts and adds them to the lifecycle; then starts them.
 *
 * @param name of the process, for messages: "dispatch"
 */
export function runProcess(name: string, compose: (life: Lifecycle) => Promise<Composed> | Composed): void {
  const life = new Lifecycle();
  let log: LogSink = stderrLog(name);
  let closing = false;
  const useLog = (composed: LogSink): void => {
    log = composed;
    life.useLog(composed);
  };

  closeWithGrace(
    {
      delay: GRACE_MS,
      logger: false,
      // A fault of the hardware or the engine cannot be handled in JavaScript: let it kill, and leave a core.
      skip: ['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGQUIT', 'SIGSEGV', 'SIGTRAP', 'SIGUSR2'],
      onSecondSignal: (signal) => log.error({ signal }, 'second signal: leaving at once'),
      onSecondError: (err) => log.fatal({ err }, 'an error nobody caught, while stopping'),
      onTimeout: (graceMs) => log.error({ graceMs }, 'could not stop in time: leaving'),
    },
    async ({ signal, err }) => {
      closing = true;
      if (err !== undefined) log.fatal({ err }, 'an error nobody caught: stopping');
      else if (signal === undefined) log.fatal({}, 'nothing left to do, not even to listen: stopping');
      else log.info({ signal }, 'stopping');
      await life.stop();
      log.info({}, 'stopped');
      // The exit code tells a supervisor that this end was not asked for.
      if (signal === undefined) process.exit(EXIT_FAILED);
    },
  );

  void start(compose, life, useLog).catch(async (e: unknown) => {
    // A signal during the start makes the start fail: that is no failure, and the exit belongs to the handler above.
    if (closing) return;
    process.stderr.write(describeStartFailure(name, e));
    await life.stop().catch(() => {});
    process.exit(isTandemError(e, 'config-invalid') ? EXIT_CONFIG_INVALID : EXIT_FAILED);
  });
}

async function start(
  compose: (life: Lifecycle) => Promise<Composed> | Composed,
  life: Lifecycle,
  useLog: (log: LogSink) => void,
): Promise<void> {
  const { log } = await compose(life);
  useLog(log);
  await life.start();
  log.info({}, 'ready');
}

/** For the person who started it: what is wrong and what to do. A stack only where it is a fault of the code. */
export function describeStartFailure(name: string, e: unknown): string {
  if (isTandemError(e, 'config-invalid')) {
    return `${name}: the configuration is not valid\n${indent(e.message)}\n`;
  }
  if (!isTandemError(e)) {
    return `${name} could not start\n${indent(e instanceof Error ? (e.stack ?? e.message) : String(e))}\n`;
  }
  const lines = [`${name} could not start: ${e.code}`, indent(e.message)];
  for (let cause = e.cause; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    lines.push(indent(`cause: ${cause instanceof Error ? cause.message : String(cause)}`));
  }
  lines.push(indent(`what to do: ${CODES[e.code].action}`));
  return `${lines.join('\n')}\n`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

/** Until there is a log: errors as plain lines, the rest nowhere. */
function stderrLog(name: string): LogSink {
  const write = (fields: Record<string, unknown>, message: string): void => {
    const { err } = fields;
    process.stderr.write(`${name}: ${message}${err === undefined ? '' : `\n${indent(describe(err))}`}\n`);
  };
  return { debug() {}, info() {}, warn: write, error: write, fatal: write };
}

function describe(err: unknown): string {
  return err instanceof Error ? (err.stack ?? err.message) : String(err);
}
