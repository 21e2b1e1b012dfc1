/**
 * The supervisor of one local deployment: a daemon that `up` starts and `down` ends.
 *
 * Invariant: one per state directory. The lock is an abstract unix socket, which the kernel frees with the process, so a
 * killed supervisor never leaves it taken. It reads plan.json and secrets.json once, at its start.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import path from 'node:path';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { readPlan } from '../plan.ts';
import { readSecrets } from '../secrets.ts';
import { stackOf } from '../stack.ts';
import { stateDir } from '../state-dir.ts';
import { startControlServer } from './control-server.ts';
import { ProcessLog } from './process-log.ts';
import { endStale } from './stale.ts';
import { Supervisor } from './supervisor.ts';

/** What children get of this process's environment; the rest of a developer's shell is none of their business. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'JAVA_HOME', 'NODE_EXTRA_CA_CERTS', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'TANDEM_LOG_LEVEL', 'TANDEM_CONFLICT_RULES'];
const ROTATE_EVERY_MS = 60_000;

const dirs = stateDir();

function say(line: string): void {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}

/** Throws conflict when another supervisor holds this deployment. */
async function lock(state: string): Promise<void> {
  const name = `\0tandem-${createHash('sha256').update(state).digest('hex').slice(0, 24)}`;
  const holder = createServer();
  await new Promise<void>((resolve, reject) => {
    holder.once('error', (cause) => reject(new TandemError('conflict', `another supervisor runs for ${state}`, { cause })));
    holder.listen(name, resolve);
  });
  holder.unref();
}

function leave(): void {
  process.exit(0);
}

async function main(): Promise<void> {
  await lock(dirs.state);
  const plan = await readPlan(dirs);
  if (plan === null) throw new TandemError('config-invalid', `${dirs.state} has no plan.json: start with ./tandem up`);
  const secrets = await readSecrets(dirs.secretsFile);
  const ended = await endStale(dirs.state);
  if (ended.length > 0) say(`ended what a previous supervisor left: ${ended.join(', ')}`);

  const env = Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] as string]])));
  const supervisor = new Supervisor({ specs: stackOf({ dirs, plan, secrets }), state: dirs.state, logs: dirs.logs, env, say });
  await startControlServer({ supervisor, socket: dirs.socket('supervisor'), onShutdown: leave });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      say(`${signal}: stopping everything`);
      void supervisor.stop().then(leave);
    });
  }
  const ownLog = new ProcessLog(dirs.logs, 'supervisor');
  setInterval(() => void ownLog.rotateIfLarge().catch((e: unknown) => say(`cannot rotate ${path.basename(ownLog.file)}: ${String(e)}`)), ROTATE_EVERY_MS);
  supervisor.start();
  say(`supervising ${supervisor.list().length} processes`);
}

try {
  await main();
} catch (e) {
  say(`cannot supervise: ${e instanceof Error ? e.message : String(e)}`);
  process.exit(1);
}
