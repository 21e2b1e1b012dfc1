/**
 * Talks to the supervisor of a deployment through its socket.
 *
 * Invariant: each call ends by its deadline. `null` from connect() means that no supervisor runs; that is no error.
 */
import { request } from 'node:http';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { ProcessStatus } from './managed-process.ts';

const LIST_DEADLINE_MS = 5_000;
/** A start may wait for a database that recovers, a shutdown for every drain and flush. */
const ACTION_DEADLINE_MS = 180_000;

export interface SupervisorView {
  /** Of the supervisor itself. */
  readonly pid: number;
  readonly residentKib: number;
  readonly processes: readonly ProcessStatus[];
}

export class SupervisorClient {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Null when nobody listens on the socket. */
  static async connect(socket: string): Promise<SupervisorClient | null> {
    const client = new SupervisorClient(socket);
    try {
      await client.view();
      return client;
    } catch (e) {
      if (isNobodyThere(e)) return null;
      throw e;
    }
  }

  view(): Promise<SupervisorView> {
    return this.#call('GET', '/processes', LIST_DEADLINE_MS) as Promise<SupervisorView>;
  }

  /** Resolves when it is ready. */
  async start(name: string): Promise<void> {
    await this.#act(name, 'start');
  }

  /** SIGTERM, and down until start(). */
  async stop(name: string): Promise<void> {
    await this.#act(name, 'stop');
  }

  /** Resolves when it is ready again. */
  async restart(name: string): Promise<void> {
    await this.#act(name, 'restart');
  }

  /** As a fault would: after a SIGKILL the supervisor brings it back by itself. */
  async kill(name: string, signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): Promise<void> {
    await this.#act(name, `kill?signal=${signal}`);
  }

  /** SIGKILL, and down until release(). */
  async hold(name: string): Promise<void> {
    await this.#act(name, 'hold');
  }

  /** Resolves when it is ready. */
  async release(name: string): Promise<void> {
    await this.#act(name, 'start');
  }

  /** Resolves when every process is gone; the supervisor itself ends right after. */
  async shutdown(): Promise<void> {
    await this.#call('POST', '/shutdown', ACTION_DEADLINE_MS);
  }

  async #act(name: string, verb: string): Promise<void> {
    await this.#call('POST', `/processes/${encodeURIComponent(name)}/${verb}`, ACTION_DEADLINE_MS);
  }

  #call(method: string, path: string, deadlineMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.#socket, method, path, signal: AbortSignal.timeout(deadlineMs) }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const body = JSON.parse(Buffer.concat(chunks).toString()) as { error?: string };
          if (response.statusCode === 200) resolve(body);
          else reject(new TandemError(response.statusCode === 404 ? 'not-found' : 'supervisor-failed', body.error ?? `${method} ${path} failed`));
        });
      });
      call.on('error', reject);
      call.end();
    });
  }
}

/** The errors of a socket without a listener, and of no socket at all. */
function isNobodyThere(e: unknown): boolean {
  return ['ENOENT', 'ECONNREFUSED'].includes((e as NodeJS.ErrnoException).code ?? '');
}
