/**
 * The supervisor's control socket: HTTP and JSON over a unix socket that only its owner can reach.
 *
 * GET /processes · POST /processes/<name>/{start,stop,restart,hold,kill} (kill: ?signal=SIGKILL) · POST /shutdown.
 * A POST answers once it is done: start and restart when the process is ready, shutdown when all are gone.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { chmod, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { ManagedProcess } from './managed-process.ts';
import { residentKib } from './proc.ts';
import type { Supervisor } from './supervisor.ts';

/** What a fault may send. */
const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGSTOP', 'SIGCONT', 'SIGINT'] as const;

type Action = (managed: ManagedProcess, query: URLSearchParams) => Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = {
  start: async (managed) => {
    managed.start();
    await managed.untilReady();
  },
  stop: (managed) => managed.stop(),
  restart: async (managed) => {
    await managed.restart();
    await managed.untilReady();
  },
  hold: (managed) => managed.hold(),
  kill: async (managed, query) => {
    const wanted = query.get('signal') ?? 'SIGKILL';
    const signal = SIGNALS.find((name) => name === wanted);
    if (signal === undefined) throw new RangeError(`signal ${wanted} is not one of ${SIGNALS.join(', ')}`);
    if (!managed.signal(signal)) throw new RangeError(`${managed.spec.name} is not running`);
  },
};

export interface ControlServerOptions {
  readonly supervisor: Supervisor;
  readonly socket: string;
  /** Called after a shutdown has been answered. */
  readonly onShutdown: () => void;
}

/** The caller makes sure that no other supervisor of this deployment lives: a socket file that is there is removed. */
export async function startControlServer(options: ControlServerOptions): Promise<Server> {
  const { socket } = options;
  await mkdir(path.dirname(socket), { recursive: true, mode: 0o700 });
  await rm(socket, { force: true });
  const server = createServer((request, response) => {
    answer(options, request).then(
      (body) => reply(response, 200, body),
      (e: unknown) => reply(response, statusOf(e), { error: e instanceof Error ? e.message : String(e) }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  await chmod(socket, 0o600);
  return server;
}

async function answer({ supervisor, onShutdown }: ControlServerOptions, request: IncomingMessage): Promise<unknown> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://supervisor');
  const [, collection, name, verb] = pathname.split('/');
  if (request.method === 'GET' && pathname === '/processes') return { pid: process.pid, residentKib: residentKib(process.pid), processes: supervisor.list() };
  if (request.method === 'POST' && pathname === '/shutdown') {
    await supervisor.stop();
    // After the answer is on its way.
    setImmediate(onShutdown);
    return { processes: supervisor.list() };
  }
  const action = ACTIONS[verb ?? ''];
  if (request.method !== 'POST' || collection !== 'processes' || name === undefined || action === undefined) {
    throw new RangeError(`no such request: ${request.method} ${pathname}`);
  }
  const managed = supervisor.process(name);
  await action(managed, searchParams);
  return managed.status();
}

function statusOf(e: unknown): number {
  if (isTandemError(e, 'not-found')) return 404;
  return e instanceof RangeError ? 400 : 500;
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'connection': 'close' });
  response.end(JSON.stringify(body));
}
