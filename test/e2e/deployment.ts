/**
 * A whole deployment of one's own for a test: `./tandem` itself as a child process, in a temp dir, on ports nobody else uses.
 *
 * Invariant: it knows no more than a person at a keyboard does: commands, what they print, /proc. Whatever happens to the test, end() leaves
 * no process of it.
 */
import { spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { allPorts, assignPorts } from '../../deploy/local/ports.ts';
import { REPO_ROOT } from '../../deploy/local/state-dir.ts';
import { environOf, identify, listPids, signalProcess } from '../../deploy/local/supervisor/proc.ts';
import type { ProcessIdentity } from '../../deploy/local/supervisor/proc.ts';
import { findHolders } from '../../deploy/local/taken-ports.ts';
import { sleep } from '../../shared/kernel/deadline.ts';
import type { Topology } from '../../shared/config/topology.ts';
import { testCache } from '../harness/programs.ts';
import { makeTestDir } from '../harness/server-process.ts';

/** Below where the harness draws the ports of single servers, clear of the default base. */
const BASES = Array.from({ length: 15 }, (_, i) => 10_000 + 400 * i);
const KILL_DEADLINE_MS = 30_000;

export interface Said {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export class Deployment {
  readonly dir: string;
  readonly state: string;
  readonly env: NodeJS.ProcessEnv;

  static async make(): Promise<Deployment> {
    return new Deployment(await makeTestDir('e2e'), freePortBase());
  }

  private constructor(dir: string, portBase: number) {
    this.dir = dir;
    this.state = path.join(dir, 'state');
    this.env = { ...process.env, TANDEM_STATE: this.state, TANDEM_PORT_BASE: String(portBase), TANDEM_CACHE: testCache(), NO_COLOR: '1' };
  }

  /** Runs a command; past its deadline it is ended, which shows as status null. */
  tandem(args: readonly string[], options: { deadlineMs: number }): Promise<Said> {
    const child = spawn(path.join(REPO_ROOT, 'tandem'), args, { cwd: REPO_ROOT, env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), options.deadlineMs);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      // The supervisor it leaves behind keeps neither pipe, so they close with the command.
      child.on('close', (status) => {
        clearTimeout(timer);
        resolve({ status, ...said });
      });
    });
  }

  async topology(): Promise<Topology> {
    return JSON.parse(await readFile(path.join(this.state, 'topology.json'), 'utf8')) as Topology;
  }

  /** Every process that was started with this state directory, whoever started it. */
  processes(): readonly (ProcessIdentity & { readonly name: string })[] {
    return listPids().flatMap((pid) => {
      const identity = identify(pid);
      const environ = environOf(pid);
      return identity !== null && environ.get('TANDEM_STATE') === this.state ? [{ ...identity, name: environ.get('TANDEM_PROCESS') ?? 'supervisor or command' }] : [];
    });
  }

  /** kill -9 of everything, the supervisor first, until nothing is left. Returns how many there were at first. */
  async kill9(): Promise<number> {
    const found = this.processes();
    const deadline = performance.now() + KILL_DEADLINE_MS;
    for (let left = found; left.length > 0; left = this.processes()) {
      if (performance.now() > deadline) throw new Error(`not to be killed: ${left.map(({ name, pid }) => `${name} (${pid})`).join(', ')}`);
      const supervisorsFirst = left.toSorted((a, b) => Number(b.name.startsWith('supervisor')) - Number(a.name.startsWith('supervisor')));
      for (const one of supervisorsFirst) signalProcess(one, 'SIGKILL');
      await sleep(20);
    }
    return found.length;
  }

  async end(): Promise<void> {
    await this.kill9();
    await rm(this.dir, { recursive: true, force: true });
  }
}

function freePortBase(): number {
  const first = Math.floor(Math.random() * BASES.length);
  const order = [...BASES.slice(first), ...BASES.slice(0, first)];
  const base = order.find((candidate) => findHolders(allPorts(assignPorts(['east', 'west'], { TANDEM_PORT_BASE: String(candidate) }))).length === 0);
  if (base === undefined) throw new Error('no free range of ports for a deployment');
  return base;
}
