/** The command line as a person meets it: run as a process of its own, judged by its output and exit code. No stack is started. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { REPO_ROOT } from '../../deploy/local/state-dir.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'tandem-cli-'));
});
afterEach(() => rm(dir, { recursive: true }));

function tandem(...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [path.join(REPO_ROOT, 'deploy', 'cli.ts'), ...args], { env: { ...process.env, TANDEM_STATE: path.join(dir, 'state') } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ status, out, err }));
  });
}

test('up refuses a bad trips file before anything is started, naming line and column', async () => {
  const trips = path.join(dir, 'trips.csv');
  await writeFile(trips, 'request_id,t_sec,o_lat,o_lon,d_lat,d_lon\n1,0,40.7,-74,40.8,-74\n2,0,40.7,west,40.8,-74\n');
  const { status, out, err } = await tandem('up', '--detach', '--json', '--trips', trips);
  expect(status).toBe(2);
  expect(err).toContain('line 3, column o_lon: "west"');
  expect(JSON.parse(out.trim().split('\n').at(-1) as string)).toMatchObject({ error: { code: 'trips-invalid' } });
  expect(existsSync(path.join(dir, 'state'))).toBe(false);
});

test.each([
  ['an unknown command', ['fly'], /unknown command 'fly'/],
  ['a negative number of rides', ['up', '--rides', '-1'], /--rides/],
  ['a token for nobody', ['token'], /name one of --rider/],
  ['a reset to nowhere', ['cdc', 'reset', 'east', '--part', 'apply'], /--to/],
  ['an unknown flag', ['conflicts', 'list', '--everything'], /unknown option '--everything'/],
  ['a policy that does not exist', ['config', 'colour'], /there is no policy colour; there are: dispatch, rpo-guard/],
  ['a policy with bad fields', ['config', 'rpo-guard', '--set', '{"limitMs": 1, "action": "stop"}'], /limitMs[^]*action/],
  ['a token for account 0', ['token', '--rider', '0'], /--rider 0 is not an account number/],
])('%s is bad usage: exit 2 and a hint', async (_, args, message) => {
  const { status, err } = await tandem(...args);
  expect(status).toBe(2);
  expect(err).toMatch(message);
});

test('before the first up, status and down say that there is nothing', async () => {
  expect(await tandem('status')).toMatchObject({ status: 0, out: expect.stringContaining('start with ./tandem up') as string });
  expect(JSON.parse((await tandem('status', '--json')).out)).toEqual({ regions: {}, witness: null, processes: [], supervisor: null });
  expect(await tandem('down')).toMatchObject({ status: 0, out: 'nothing was running\n' });
});

test('help teaches the first commands and the exit codes', async () => {
  const { status, out } = await tandem('--help');
  expect(status).toBe(0);
  expect(out).toMatch(/tandem up[^]*tandem status[^]*tandem test[^]*tandem down[^]*Exit codes/);
});

test('every page of help fits 80 columns', async () => {
  const commands = ['up', 'status', 'down', 'token', 'chaos', 'diff', 'sla', 'test', 'migrate', 'config', 'cdc', 'conflicts'];
  const cdc = ['status', 'pause', 'resume', 'skip', 'retry', 'reset', 'snapshot'].map((verb) => ['cdc', verb]);
  const conflicts = ['list', 'show', 'replay'].map((verb) => ['conflicts', verb]);
  const pages = await Promise.all([[], ...commands.map((command) => [command]), ...cdc, ...conflicts].map((args) => tandem(...args, '--help')));
  for (const { status, out } of pages) {
    expect(status).toBe(0);
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
  }
}, 120_000);

test.each(['diff', 'sla', 'migrate'])('before the first up, %s says how to begin', async (command) => {
  expect(await tandem(command)).toMatchObject({ status: 1, err: expect.stringContaining('Start one with ./tandem up') as string });
});
