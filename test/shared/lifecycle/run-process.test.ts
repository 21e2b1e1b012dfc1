/** How a process ends: seen from outside, as its supervisor sees it. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { describeStartFailure } from '../../../shared/lifecycle/run-process.ts';

const SOURCES = new URL('../../../shared/', import.meta.url).href;

interface End {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a process whose compose() has this body; `act` is called when it has said "ready". */
async function run(body: string, act: (child: ChildProcess) => void = () => {}): Promise<End> {
  const source = `
    import { runProcess } from '${SOURCES}lifecycle/run-process.ts';
    import { TandemError } from '${SOURCES}kernel/tandem-error.ts';
    const line = (fields, message) => console.log(message, fields.err?.message ?? '');
    const log = { debug() {}, info: line, warn: line, error: line, fatal: line };
    const listen = (life, name = 'http', part = {}) => {
      const timer = setInterval(() => {}, 1e6);
      life.add({ name, stop: async () => { clearInterval(timer); console.log(name + ' closed'); }, ...part });
    };
    runProcess('sample', async (life) => { ${body} });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (chunk: Buffer) => {
    if (`${chunk}`.includes('ready')) act(child);
  });
  const [out, err, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit') as Promise<[number | null]>]);
  return { exitCode, out, err };
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s drains, stops and exits 0', async (signal) => {
  const body = `listen(life, 'http', { drain: async () => console.log('http drained') }); return { log };`;
  const { exitCode, out } = await run(body, (child) => void child.kill(signal));
  expect(out.split('\n').map((line) => line.trim())).toEqual(['ready', 'stopping', 'http drained', 'http closed', 'stopped', '']);
  expect(exitCode).toBe(0);
});

test('a wrong configuration is printed plainly, without a stack, and exits 2', async () => {
  const { exitCode, err } = await run(`throw new TandemError('config-invalid', 'A: missing\\nB: expected a port');`);
  expect(err).toBe('sample: the configuration is not valid\n  A: missing\n  B: expected a port\n');
  expect(exitCode).toBe(2);
});

test('a failed start says the code, the causes and what to do, stops what had been opened, and exits 1', async () => {
  const body = `
    listen(life, 'db');
    life.add({ name: 'etcd', start: async () => {
      const cause = new Error('no member answers', { cause: new Error('connect ECONNREFUSED') });
      throw new TandemError('etcd-unavailable', 'cannot lease', { cause });
    } });
    return { log };`;
  const { exitCode, out, err } = await run(body);
  expect(err.split('\n').slice(0, 4)).toEqual([
    'sample could not start: etcd-unavailable', '  cannot lease', '  cause: no member answers', '  cause: connect ECONNREFUSED',
  ]);
  expect(err).toMatch(/ {2}what to do: .*majority/);
  expect(err).not.toContain('    at ');
  expect(out.trim()).toBe('db closed');
  expect(exitCode).toBe(1);
});

test('a fault of the code at the start shows its stack and exits 1', async () => {
  const { exitCode, err } = await run(`null.x;`);
  expect(err).toMatch(/sample could not start\n {2}TypeError.*\n +at /);
  expect(exitCode).toBe(1);
});

test.each([
  ['an uncaught exception', `setTimeout(() => { throw new Error('boom'); }, 1);`],
  ['an unhandled rejection', `Promise.reject(new Error('boom'));`],
])('%s is logged as fatal, the parts are stopped, and the process exits 1', async (_, fault) => {
  const { exitCode, out } = await run(`listen(life, 'http', { start: async () => { ${fault} } }); return { log };`);
  expect(out).toContain('an error nobody caught: stopping boom');
  expect(out).toContain('http closed');
  expect(exitCode).toBe(1);
});

test('a part that does not stop well makes the exit 1', async () => {
  const body = `listen(life); life.add({ name: 'bad', stop: async () => { throw new Error('no'); } }); return { log };`;
  const { exitCode, out } = await run(body, (child) => void child.kill('SIGTERM'));
  expect(out).toContain('bad failed to stop');
  expect(out).toContain('http closed');
  expect(exitCode).toBe(1);
});

test('a signal during the start is a clean end', async () => {
  const body = `
    listen(life, 'db');
    life.add({ name: 'slow', start: () => new Promise((go) => { process.once('SIGTERM', () => setTimeout(go, 20)); console.log('not ready yet'); }) });
    life.add({ name: 'never', start: async () => console.log('never started') });
    return { log };`;
  const { exitCode, out, err } = await run(body, (child) => void child.kill('SIGTERM'));
  expect(out).toContain('db closed');
  expect(out).not.toContain('never started');
  expect([exitCode, err]).toEqual([0, '']);
});

test('a process with nothing left to do says so and exits 1: nobody asked it to end', async () => {
  const { exitCode, out } = await run(`return { log };`);
  expect(out).toContain('nothing left to do');
  expect(exitCode).toBe(1);
});

test('a start failure without a cause is told without one', () => {
  expect(describeStartFailure('ops', new TandemError('port-taken', 'port 8080 is taken'))).toBe(
    'ops could not start: port-taken\n  port 8080 is taken\n  what to do: Stop that process or choose another port.\n',
  );
});
