/**
 * Brings the local stack up, or finds it running: programs, ports, secrets, the supervisor, then every process ready.
 *
 * Invariant: everything that can be refused is refused before the first process starts. What runs already is left alone;
 * what was taken down by hand is started again.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Topology } from '../../shared/config/topology.ts';
import { sleep } from '../../shared/kernel/deadline.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Say } from './console.ts';
import { parseLocalRegions, readPlan, refuseMovedEtcd, refuseOtherEngine, writePlan } from './plan.ts';
import type { Plan } from './plan.ts';
import { allPorts, assignPorts } from './ports.ts';
import { ensurePrograms } from './programs/ensure.ts';
import type { Env } from './programs/locate.ts';
import { ensureSecrets, readSecrets } from './secrets.ts';
import type { Secrets } from './secrets.ts';
import { writeAtomic } from './servers/files.ts';
import { topologyOf } from './stack.ts';
import type { StateDir } from './state-dir.ts';
import { SupervisorClient } from './supervisor/client.ts';
import { ProcessLog } from './supervisor/process-log.ts';
import { endStale } from './supervisor/stale.ts';
import { refuseTakenPorts } from './taken-ports.ts';
import { untilAllReady } from './until-all-ready.ts';

const SUPERVISOR_DEADLINE_MS = 30_000;
const POLL_MS = 50;
const LOG_LINES_SHOWN = 15;
const SUPERVISOR_MAIN = path.join(import.meta.dirname, 'supervisor', 'main.ts');

export interface RunningStack {
  readonly plan: Plan;
  readonly secrets: Secrets;
  readonly topology: Topology;
  readonly supervisor: SupervisorClient;
}

/** Resolves once every process is ready. Throws missing-program, config-invalid, port-taken or supervisor-failed. */
export async function startStack({ dirs, env, say }: { dirs: StateDir; env: Env; say: Say }): Promise<RunningStack> {
  await mkdir(dirs.state, { recursive: true, mode: 0o700 });
  const running = await SupervisorClient.connect(dirs.socket('supervisor'));
  const plan = running === null ? await planAnew(dirs, env, say) : await planOf(dirs);
  const supervisor = running ?? (await startSupervisor(dirs, say));
  if (running !== null) say('the stack is up already: reusing it');
  const secrets = await readSecrets(dirs.secretsFile);
  const topology = topologyOf({ dirs, plan, secrets });
  // Before the wait: where something does not come up, the other commands can be asked why.
  await writeAtomic(dirs.topologyFile, `${JSON.stringify(topology, null, 2)}\n`);
  await untilAllReady(supervisor, { logs: dirs.logs, say });
  return { plan, secrets, topology, supervisor };
}

async function planAnew(dirs: StateDir, env: Env, say: Say): Promise<Plan> {
  const regions = parseLocalRegions(env.TANDEM_REGIONS);
  const ports = assignPorts(regions.names, env);
  const last = await readPlan(dirs);
  refuseMovedEtcd({ ports }, last);
  const ended = await endStale(dirs.state);
  if (ended.length > 0) say(`ended what an earlier run left behind: ${ended.join(', ')}`);
  refuseTakenPorts(allPorts(ports));
  const programs = await ensurePrograms({ cache: dirs.cache, say, env });
  const plan: Plan = { regions: regions.toString(), ports, programs };
  refuseOtherEngine(plan, last);
  await ensureSecrets(dirs.secretsFile, regions.names);
  await writePlan(dirs, plan);
  return plan;
}

async function planOf(dirs: StateDir): Promise<Plan> {
  const plan = await readPlan(dirs);
  if (plan === null) throw new TandemError('config-invalid', `a supervisor runs, but ${dirs.state} has lost its plan.json: ./tandem down, then up`);
  return plan;
}

/** Starts the daemon and waits for its socket. It lives on when this process ends. */
async function startSupervisor(dirs: StateDir, say: Say): Promise<SupervisorClient> {
  say('starting the supervisor');
  const log = new ProcessLog(dirs.logs, 'supervisor');
  const fd = log.open();
  const child = spawn(process.execPath, [SUPERVISOR_MAIN], {
    detached: true,
    stdio: ['ignore', fd, fd],
    env: { ...process.env, TANDEM_STATE: dirs.state, TANDEM_CACHE: dirs.cache },
  });
  closeSync(fd);
  child.unref();
  const exited = once(child, 'exit').then(() => 'exited' as const);
  const deadline = performance.now() + SUPERVISOR_DEADLINE_MS;
  for (;;) {
    const client = await SupervisorClient.connect(dirs.socket('supervisor'));
    if (client !== null) return client;
    const isGone = (await Promise.race([exited, sleep(POLL_MS)])) === 'exited';
    if (isGone || performance.now() > deadline) {
      throw new TandemError('supervisor-failed', `the supervisor did not come up; the end of ${log.file}:\n${log.tail(LOG_LINES_SHOWN).join('\n')}`);
    }
  }
}
