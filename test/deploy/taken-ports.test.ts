/** A port that somebody else holds is refused before anything starts, naming the holder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { findHolders, refuseTakenPorts } from '../../deploy/local/taken-ports.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import { freePort } from '../harness/free-port.ts';

const wanted = (port: number) => ({ name: 'east router', variable: 'TANDEM_PORT_EAST_ROUTER', port });

test('a taken port is refused with its number, its purpose, and the process that holds it', async () => {
  const listen = "const s = require('net').createServer().listen(0, '127.0.0.1', () => console.log(s.address().port))";
  const holder = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(holder.stdout, 'data')) as [Buffer];
    const port = Number(line.toString());
    let refusal: unknown;
    try {
      refuseTakenPorts([wanted(port)]);
    } catch (e) {
      refusal = e;
    }
    expect(isTandemError(refusal, 'port-taken')).toBe(true);
    expect(String(refusal)).toContain(`port ${port}, wanted for east router, is held by process ${holder.pid}`);
    expect(String(refusal)).toContain('TANDEM_PORT_EAST_ROUTER');
  } finally {
    holder.kill('SIGKILL');
  }
});

test('a listener on every address is in the way, too', async () => {
  const server = createServer();
  server.listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(findHolders([wanted(port)])).toMatchObject([{ port, pid: process.pid }]);
  server.close();
});

test('free ports are let through', async () => {
  refuseTakenPorts([wanted(await freePort())]);
});
