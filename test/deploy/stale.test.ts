/** What a killed supervisor left behind is found and ended, and nothing else is; with real processes of our own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { identify, signalProcess } from '../../deploy/local/supervisor/proc.ts';
import { endStale, findStale } from '../../deploy/local/supervisor/stale.ts';

let state: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'tandem-stale-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(state, { recursive: true });
});

async function start(env: Record<string, string>, script = ''): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', `${script}; console.log('up'); setInterval(() => {}, 1e6)`], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null && identify(child.pid as number) !== null;

test('what a killed supervisor left is found by its environment and ended, even if stopped or deaf to SIGTERM', async () => {
  const plain = await start({ TANDEM_STATE: state, TANDEM_PROCESS: 'mysql-east' });
  const deaf = await start({ TANDEM_STATE: state, TANDEM_PROCESS: 'redis-east' }, 'process.on("SIGTERM", () => {})');
  const stopped = await start({ TANDEM_STATE: state, TANDEM_PROCESS: 'kafka-east' });
  stopped.kill('SIGSTOP');
  expect((await endStale(state, 300)).toSorted()).toEqual(['kafka-east', 'mysql-east', 'redis-east']);
  for (const child of [plain, deaf, stopped]) expect(isRunning(child)).toBe(false);
  expect(findStale(state)).toEqual([]);
});

test('processes of another deployment, and ones that only share the state directory, are left alone', async () => {
  const other = await start({ TANDEM_STATE: `${state}-other`, TANDEM_PROCESS: 'mysql-east' });
  const shell = await start({ TANDEM_STATE: state });
  expect(await endStale(state, 300)).toEqual([]);
  expect([other, shell].map(isRunning)).toEqual([true, true]);
});

test('a pid that has passed to somebody else is not signalled', async () => {
  const child = await start({});
  const identity = identify(child.pid as number);
  expect(signalProcess({ pid: child.pid as number, startTicks: '1' }, 'SIGKILL')).toBe(false);
  expect(isRunning(child)).toBe(true);
  expect(identity !== null && signalProcess(identity, 'SIGKILL')).toBe(true);
});
