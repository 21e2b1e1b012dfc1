/**
 * Runs a one-shot step of the start: its log goes to stdout as JSON lines, a failure is explained plainly and exits 1.
 */
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { EXIT_FAILED, describeStartFailure } from '../../../shared/lifecycle/run-process.ts';
import { stdoutLog } from './stdout-log.ts';

export async function runStep(name: string, work: (log: LogSink) => Promise<void>): Promise<void> {
  try {
    await work(stdoutLog);
  } catch (e) {
    process.stderr.write(describeStartFailure(name, e));
    process.exitCode = EXIT_FAILED;
  }
}
