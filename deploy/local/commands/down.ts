/**
 * `tandem down`: drains the services, stops the servers, ends the supervisor; leaves nothing running.
 *
 * Invariant: data stays. It is safe at any time and any number of times, also where the supervisor was killed.
 */
import type { Command } from 'commander';
import { sleep } from '../../../shared/kernel/deadline.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { sayOnStderr } from '../console.ts';
import type { Say } from '../console.ts';
import { stateDir } from '../state-dir.ts';
import type { StateDir } from '../state-dir.ts';
import { SupervisorClient } from '../supervisor/client.ts';
import { identify, isAlive } from '../supervisor/proc.ts';
import type { ProcessIdentity } from '../supervisor/proc.ts';
import { endStale, findStale } from '../supervisor/stale.ts';
import { outcome, printJson } from './outcome.ts';

/** The supervisor ends right after its answer. */
const SUPERVISOR_END_DEADLINE_MS = 5_000;
const POLL_MS = 20;

export function registerDown(program: Command): void {
  program
    .command('down')
    .summary('stop every process; data stays')
    .description('Lets the services finish what they have in hand, then stops every process.')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Data stays under .tandem (or TANDEM_STATE), where the next ./tandem up finds it.
To begin anew, remove that directory while everything is down.
`)
    .action(outcome(async (flags: { json?: true }) => {
      const stopped = await stopStack(stateDir(), sayOnStderr);
      if (flags.json) printJson({ stopped });
      else process.stdout.write(stopped === 0 ? 'nothing was running\n' : `down: ${stopped} processes stopped, none left\n`);
    }));
}

/** Returns how many processes were stopped. Throws supervisor-failed when one is left. */
export async function stopStack(dirs: StateDir, say: Say): Promise<number> {
  let stopped = 0;
  const supervisor = await SupervisorClient.connect(dirs.socket('supervisor'));
  if (supervisor !== null) {
    const { pid, processes } = await supervisor.view();
    stopped = processes.filter((status) => status.pid !== null).length;
    say(`draining the services and stopping ${stopped} processes`);
    const identity = identify(pid);
    await supervisor.shutdown();
    if (identity !== null) await untilGone(identity);
  }
  const stale = await endStale(dirs.state);
  if (stale.length > 0) say(`ended what a killed supervisor had left: ${stale.join(', ')}`);
  const left = findStale(dirs.state);
  if (left.length > 0) throw new TandemError('supervisor-failed', `still running: ${left.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ')}`);
  return stopped + stale.length;
}

async function untilGone(identity: ProcessIdentity): Promise<void> {
  const deadline = performance.now() + SUPERVISOR_END_DEADLINE_MS;
  while (isAlive(identity)) {
    if (performance.now() > deadline) throw new TandemError('supervisor-failed', `the supervisor (pid ${identity.pid}) has stopped everything but does not end`);
    await sleep(POLL_MS);
  }
}
