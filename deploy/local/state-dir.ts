/**
 * Where the local stack keeps its things: one state directory, and one cache for what can be fetched again.
 *
 * Invariant: everything a deployment owns lies under `state`; removing that directory while it is down removes the deployment.
 * It creates nothing by itself.
 */
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The kernel keeps 108 bytes for the path of a unix socket, the closing zero included; some servers append to it. */
export const SOCKET_PATH_BYTES_MAX = 100;

export const REPO_ROOT = path.resolve(import.meta.dirname, '../..');

export interface StateDir {
  readonly state: string;
  readonly data: string;
  readonly logs: string;
  readonly run: string;
  readonly cache: string;
  readonly topologyFile: string;
  readonly secretsFile: string;
  /** A path for a unix socket: under `run`, or in a private directory of the system's temp dir where `run` lies too deep. */
  socket(name: string): string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads TANDEM_STATE and TANDEM_CACHE; both default to <repo>/.tandem. */
export function stateDir(env: Env = process.env): StateDir {
  const state = path.resolve(env.TANDEM_STATE || path.join(REPO_ROOT, '.tandem'));
  const run = path.join(state, 'run');
  return {
    state,
    data: path.join(state, 'data'),
    logs: path.join(state, 'logs'),
    run,
    cache: path.resolve(env.TANDEM_CACHE || path.join(state, 'cache')),
    topologyFile: path.join(state, 'topology.json'),
    secretsFile: path.join(state, 'secrets.json'),
    socket: (name) => shortSocket(run, name),
  };
}

/** The same directory always gives the same socket, so that `down` finds what `up` started. */
function shortSocket(directory: string, name: string): string {
  const direct = path.join(directory, `${name}.sock`);
  if (Buffer.byteLength(direct) <= SOCKET_PATH_BYTES_MAX) return direct;
  const digest = createHash('sha256').update(directory).digest('hex').slice(0, 12);
  return path.join(tmpdir(), `tandem-${process.getuid?.() ?? 0}-${digest}`, `${name}.sock`);
}
