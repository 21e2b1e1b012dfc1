/**
 * A real server for one test: started on free ports in its own temp directory, ended by its PID whatever happens to the test.
 *
 * Invariant: no server outlives the test process. Three nets: `await using`, the exit hook here, and the kernel (the child asks
 * for SIGKILL at its parent's death, so even a kill -9 of the test runner leaves nothing).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ServerSpec } from '../../deploy/local/servers/server-spec.ts';
import { sleep } from '../../shared/kernel/deadline.ts';

const READY_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 20_000;
const PROBE_EVERY_MS = 50;
const FREEZE_DEADLINE_MS = 5_000;
const LOG_TAIL_BYTES = 3_000;
const DIR_PREFIX = 'tandem-test-';
const SETPRIV = '/usr/bin/setpriv';

export interface ServerProcess extends AsyncDisposable {
  readonly pid: number;
  readonly dir: string;
  /** SIGKILL, as a crash would; resolves when the process is gone. Data and ports stay for restart(). */
  kill9(): Promise<void>;
  /** Stops it if it runs, then starts it again with the same data and ports; resolves when it serves. */
  restart(): Promise<void>;
  /** SIGSTOP: the process is there but answers nothing, as a hung host would. */
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its directory. Any number of times. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A fresh directory, private to this process; those of dead processes are swept on the way. */
export async function makeTestDir(name: string): Promise<string> {
  sweepDeadDirs();
  return mkdtemp(path.join(tmpdir(), `${DIR_PREFIX}${process.pid}-${name}-`));
}

/** Prepares, starts and awaits a server. `dir` is removed by stop(). */
export async function startServer(spec: ServerSpec, dir: string): Promise<ServerProcess> {
  await spec.prepare();
  let child = await spawnServer(spec, dir);
  const kill9 = async (): Promise<void> => end(child, 'SIGKILL');
  const stop = async (): Promise<void> => {
    child.kill('SIGCONT');
    await end(child, 'SIGTERM');
    await rm(dir, { recursive: true, force: true });
  };
  return {
    get pid() {
      return child.pid ?? 0;
    },
    dir,
    kill9,
    restart: async () => {
      await end(child, 'SIGTERM');
      await spec.prepare();
      child = await spawnServer(spec, dir);
    },
    freeze: () => freeze(child),
    thaw: () => void child.kill('SIGCONT'),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Returns once the kernel has stopped it: on a busy machine a signal that was sent is not yet one that has arrived. */
function freeze(child: ChildProcess): void {
  child.kill('SIGSTOP');
  const until = performance.now() + FREEZE_DEADLINE_MS;
  while (performance.now() < until) {
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
    if (stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'T') return;
  }
  throw new Error(`process ${child.pid} does not stop`);
}

async function spawnServer(spec: ServerSpec, dir: string): Promise<ChildProcess> {
  const log = path.join(dir, 'server.log');
  const fd = openSync(log, 'a');
  const [command, args] = existsSync(SETPRIV)
    ? [SETPRIV, ['--pdeathsig', 'KILL', '--', spec.command, ...spec.args]]
    : [spec.command, [...spec.args]];
  const child = spawn(command, args, { cwd: dir, env: { ...process.env, ...spec.env }, stdio: ['ignore', fd, fd] });
  closeSync(fd);
  running.add(child);
  child.on('exit', () => running.delete(child));
  const spawnFailed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
  try {
    await Promise.race([untilReady(spec, child), spawnFailed]);
    return child;
  } catch (cause) {
    await end(child, 'SIGKILL');
    throw new Error(`${spec.command} did not come up; the end of its log:\n${await tail(log)}`, { cause });
  }
}

async function untilReady(spec: ServerSpec, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + READY_DEADLINE_MS;
  for (;;) {
    if (hasEnded(child)) throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
    try {
      await spec.ready();
      return;
    } catch (cause) {
      if (performance.now() > deadline) throw new Error(`not ready after ${READY_DEADLINE_MS} ms`, { cause });
    }
    await sleep(PROBE_EVERY_MS);
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child) || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await gone;
  clearTimeout(impatience);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function tail(file: string): Promise<string> {
  await using handle = await open(file, 'r');
  const { size } = await handle.stat();
  const length = Math.min(size, LOG_TAIL_BYTES);
  const { buffer } = await handle.read({ buffer: Buffer.alloc(length), position: size - length });
  return buffer.toString();
}

function sweepDeadDirs(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(DIR_PREFIX) ? Number.parseInt(name.slice(DIR_PREFIX.length), 10) : Number.NaN;
    if (Number.isNaN(pid) || existsSync(`/proc/${pid}`)) continue;
    rmSync(path.join(tmpdir(), name), { recursive: true, force: true });
  }
}
