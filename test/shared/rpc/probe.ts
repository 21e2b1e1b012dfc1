/** A small service for the tests of shared/rpc, and servers and clients of it that end with their test. */
import { openRpcClient } from '../../../shared/rpc/rpc-client.ts';
import type { RpcClient, RpcClientOptions } from '../../../shared/rpc/rpc-client.ts';
import type { RpcCall, RpcHandlers } from '../../../shared/rpc/rpc-methods.ts';
import { rpcService, startRpcServer } from '../../../shared/rpc/rpc-server.ts';
import type { RpcServer } from '../../../shared/rpc/rpc-server.ts';
import type { Metrics } from '../../../shared/telemetry/metrics.ts';
import { recordedLog } from '../recorded-log.ts';
import type { RecordedLog } from '../recorded-log.ts';

export interface Question {
  readonly accountId?: string;
  readonly say?: string;
  readonly tags?: readonly string[];
  readonly near?: { readonly lat: number } | null;
  readonly mood?: 'CALM' | 'BUSY';
}
export interface Answer extends Required<Question> {
  readonly said: string;
  readonly server: string;
}

export interface Probe {
  Ask(question: Question): Promise<Partial<Answer>>;
  Count(request: { upTo: number; paddingBytes?: number }): AsyncIterable<{ n: number; padding?: string }>;
}

export const PROBE = { protoPath: new URL('probe.proto', import.meta.url), packageName: 'tandem.probe.v1', serviceName: 'Probe' };

/** Answers with what it was asked; counts up to what it is told. */
export function echoHandlers(server = 'one'): RpcHandlers<Probe> {
  return {
    Ask: async (question) => ({ ...question, said: question.say ?? '', server }),
    async *Count({ upTo, paddingBytes = 0 }: { upTo: number; paddingBytes?: number }, { signal }: RpcCall) {
      for (let n = 1; n <= upTo && !signal.aborted; n += 1) yield { n, padding: 'x'.repeat(paddingBytes) };
    },
  };
}

export interface TestServer extends RpcServer, AsyncDisposable {
  readonly target: string;
  readonly log: RecordedLog;
}

export async function serveProbe(options: { handlers?: RpcHandlers<Probe>; port?: number; metrics?: Metrics } = {}): Promise<TestServer> {
  const log = recordedLog();
  const services = [rpcService<Probe>({ ...PROBE, handlers: options.handlers ?? echoHandlers() })];
  const server = await startRpcServer({ host: '127.0.0.1', port: options.port ?? 0, services, log, ...(options.metrics ? { metrics: options.metrics } : {}) });
  return { ...server, log, target: `127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop() };
}

export function openProbe(targets: readonly string[], options: Partial<RpcClientOptions> = {}): RpcClient<Probe> & AsyncDisposable {
  const client = openRpcClient<Probe>({ ...PROBE, targets, deadlineMs: 2_000, log: recordedLog(), ...options });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}
