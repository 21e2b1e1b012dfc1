/** The supervisor over real processes that crash, hang, ignore signals or will not start; and its log and control socket. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backOffMs } from '../../deploy/local/supervisor/back-off.ts';
import { SupervisorClient } from '../../deploy/local/supervisor/client.ts';
import { startControlServer } from '../../deploy/local/supervisor/control-server.ts';
import { WATCH_LIMITS } from '../../deploy/local/supervisor/managed-process.ts';
import type { ProcessStatus } from '../../deploy/local/supervisor/managed-process.ts';
import { identify, isAlive } from '../../deploy/local/supervisor/proc.ts';
import { ProcessLog } from '../../deploy/local/supervisor/process-log.ts';
import type { ProcessSpec } from '../../deploy/local/supervisor/process-spec.ts';
import { findStale } from '../../deploy/local/supervisor/stale.ts';
import { Supervisor } from '../../deploy/local/supervisor/supervisor.ts';
import { sleep } from '../../shared/kernel/deadline.ts';

const QUICK = { ...WATCH_LIMITS, backOff: { minMs: 20, maxMs: 200, stableAfterMs: 60_000 }, probeStartingEveryMs: 10, probeReadyEveryMs: 20, taskAttemptsMax: 3 };
const LIVES = 'process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1e6);';

let dir: string;
let supervisor: Supervisor | undefined;
let said: string[];
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'tandem-supervisor-'));
  said = [];
});
afterEach(async () => {
  await supervisor?.stop();
  supervisor = undefined;
  expect(findStale(dir)).toEqual([]);
  await rm(dir, { recursive: true });
});

function spec(name: string, script: string, extra: Partial<ProcessSpec> = {}): ProcessSpec {
  return { name, region: 'east', kind: 'server', command: process.execPath, args: ['-e', script], env: {}, after: [], stopDeadlineMs: 2_000, ...extra };
}

function supervise(...specs: ProcessSpec[]): Supervisor {
  supervisor = new Supervisor({ specs, state: dir, logs: path.join(dir, 'logs'), env: {}, say: (line) => said.push(line), limits: QUICK });
  supervisor.start();
  return supervisor;
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}; ${JSON.stringify(supervisor?.list())}`);
    await sleep(5);
  }
}

const statusOf = (name: string): ProcessStatus => (supervisor as Supervisor).process(name).status();

describe('a supervised process', () => {
  test('that is killed comes back under a new pid, and the table says how often and why', async () => {
    supervise(spec('victim', LIVES));
    await supervisor?.process('victim').untilReady();
    const { pid } = statusOf('victim');
    process.kill(pid as number, 'SIGKILL');
    await until('a new child is ready', () => statusOf('victim').state === 'ready' && statusOf('victim').pid !== pid);
    expect(statusOf('victim')).toMatchObject({ restarts: 1, lastExit: 'SIGKILL', healthy: true });
  });

  test('that keeps crashing waits longer each time', async () => {
    supervise(spec('crasher', 'process.exit(7)', { ready: () => Promise.reject(new Error('never')) }));
    await until('four crashes', () => said.length >= 4);
    const waits = said.map((line) => Number(/restart in (\d+) ms/.exec(line)?.[1]));
    expect(waits.slice(0, 4)).toEqual([20, 40, 80, 160]);
    expect(statusOf('crasher')).toMatchObject({ lastExit: 'exit 7', healthy: false });
  });

  test('that cannot be started at all says why', async () => {
    supervise(spec('ghost', '', { command: '/nowhere/program' }));
    await until('a restart', () => statusOf('ghost').restarts >= 1);
    expect(statusOf('ghost').lastExit).toMatch(/could not be started: .*ENOENT/);
  });

  test('that ignores SIGTERM is killed at its deadline', async () => {
    supervise(spec('deaf', 'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1e6);', { stopDeadlineMs: 200 }));
    const log = path.join(dir, 'logs', 'deaf.log');
    let text = '';
    while (!text.includes('up')) text = await readFile(log, 'utf8').catch(() => '');
    await supervisor?.process('deaf').stop();
    expect(statusOf('deaf')).toMatchObject({ state: 'stopped', pid: null, lastExit: 'SIGKILL' });
  });

  test('that was ready and fails its probe is shown as unhealthy, and as well again later', async () => {
    let isWell = true;
    supervise(spec('moody', LIVES, { ready: () => (isWell ? Promise.resolve() : Promise.reject(new Error('no answer'))) }));
    await supervisor?.process('moody').untilReady();
    isWell = false;
    await until('unhealthy', () => statusOf('moody').state === 'unhealthy');
    expect(statusOf('moody')).toMatchObject({ healthy: false, reason: 'no answer', restarts: 0 });
    isWell = true;
    await until('healthy', () => statusOf('moody').healthy);
  });

  test('that is held stays down until it is released', async () => {
    supervise(spec('held', LIVES));
    const held = (supervisor as Supervisor).process('held');
    await held.untilReady();
    await held.hold();
    await sleep(QUICK.backOff.maxMs + 100);
    expect(statusOf('held')).toMatchObject({ state: 'held', pid: null, lastExit: 'SIGKILL' });
    held.start();
    await held.untilReady();
  });
});

describe('a supervisor', () => {
  test('starts in order of dependency and stops in reverse', async () => {
    const note = (name: string): string => `const fs = require("fs"); fs.appendFileSync("${dir}/order", "+${name} ");
      process.on("SIGTERM", () => { fs.appendFileSync("${dir}/order", "-${name} "); process.exit(0); }); fs.writeFileSync("${dir}/${name}", ""); setInterval(() => {}, 1e6);`;
    const ready = (name: string) => async (): Promise<void> => void (await stat(path.join(dir, name)));
    supervise(
      spec('base', note('base'), { ready: ready('base') }),
      spec('setup', `require("fs").appendFileSync("${dir}/order", "setup ")`, { kind: 'task', after: ['base'] }),
      spec('top', note('top'), { after: ['setup'], ready: ready('top') }),
    );
    await supervisor?.process('top').untilReady();
    await supervisor?.stop();
    expect(await readFile(path.join(dir, 'order'), 'utf8')).toBe('+base setup +top -top -base ');
  });

  test('gives a failing task a few attempts, then gives it up and starts nothing after it', async () => {
    supervise(spec('setup', 'process.exit(1)', { kind: 'task' }), spec('top', LIVES, { after: ['setup'] }));
    await until('given up', () => statusOf('setup').state === 'failed');
    expect(statusOf('setup')).toMatchObject({ restarts: QUICK.taskAttemptsMax - 1, lastExit: 'exit 1' });
    expect(statusOf('top')).toMatchObject({ state: 'waiting', pid: null });
  });

  test('is driven through its socket, and its shutdown leaves no process', async () => {
    supervise(spec('one', LIVES), spec('two', LIVES, { after: ['one'] }));
    const socket = path.join(dir, 'run', 's.sock');
    let isShut = false;
    const server = await startControlServer({ supervisor: supervisor as Supervisor, socket, onShutdown: () => { isShut = true; } });
    const client = (await SupervisorClient.connect(socket)) as SupervisorClient;
    await supervisor?.process('two').untilReady();
    const before = (await client.view()).processes.map(({ pid }) => identify(pid as number));
    await client.kill('one');
    await until('restarted', () => statusOf('one').restarts === 1);
    await client.restart('two');
    await expect(client.stop('three')).rejects.toThrow(/no process is named three/);
    await client.hold('one');
    await client.release('one');
    const after = (await client.view()).processes.map(({ pid }) => identify(pid as number));
    await client.shutdown();
    for (const identity of [...before, ...after]) expect(identity !== null && isAlive(identity)).toBe(false);
    await until('told so', () => isShut);
    server.close();
  });

  test('is null to a client where none runs', async () => {
    expect(await SupervisorClient.connect(path.join(dir, 'none.sock'))).toBeNull();
  });
});

test('back-off doubles up to its limit', () => {
  expect([1, 2, 3, 6, 7, 50].map((crashes) => backOffMs(crashes))).toEqual([250, 500, 1_000, 8_000, 10_000, 10_000]);
});

test('a log is bounded: what is too large becomes .1, what was .1 becomes .2', async () => {
  const log = new ProcessLog(dir, 'x');
  for (const text of ['first', 'second', 'third']) {
    await writeFile(log.file, text);
    await log.rotateIfLarge(3);
  }
  expect(await Promise.all(['x.log', 'x.log.1', 'x.log.2'].map((name) => readFile(path.join(dir, name), 'utf8')))).toEqual(['', 'third', 'second']);
});
