/**
 * The real capture and apply processes of two regions, for tests that kill them with SIGKILL.
 *
 * Invariant: no process outlives its test: disposing ends them, and so does the end of the test process.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import path from 'node:path';
import { MEMORY_ENV, NODE_MEMORY_ARGS } from '../../deploy/local/stack-services.ts';
import { freePort } from '../harness/free-port.ts';
import type { TestEtcd } from '../harness/etcd.ts';
import { PARTITIONS, REGIONS, SIDES, other } from './twin.ts';
import type { Region, Side, Twin } from './twin.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const RESTART_AFTER_MS = 500;
const SETPRIV = '/usr/bin/setpriv';
export type Part = 'capture' | 'apply';

export interface CdcProcess {
  readonly part: Part;
  readonly side: Side;
  readonly url: string;
  readonly pid: number;
  /** How often it ended without having been killed. */
  readonly ownEnds: number;
  kill9(): Promise<void>;
  start(): void;
}

export interface CdcProcesses extends AsyncDisposable {
  readonly all: readonly CdcProcess[];
  of(part: Part, side: Side): CdcProcess;
}

/**
 * @param options.supervised a process that ends by itself is started again, as a supervisor would
 * @param options.env beside what every part is told
 */
export async function startProcesses(
  twin: Twin, etcd: TestEtcd, options: { supervised?: boolean; env?: Readonly<Record<string, string>> } = {},
): Promise<CdcProcesses> {
  const all: CdcProcess[] = [];
  for (const side of SIDES) {
    for (const part of ['capture', 'apply'] as const) {
      const env = { ...(await environment(twin, etcd, part, side)), ...options.env };
      all.push(processOf({ part, side, env, region: twin.of(side), isSupervised: options.supervised ?? false }));
    }
  }
  for (const each of all) each.start();
  return {
    all,
    of: (part, side) => all.find((each) => each.part === part && each.side === side) as CdcProcess,
    [Symbol.asyncDispose]: async () => void (await Promise.all(all.map((each) => each.kill9()))),
  };
}

async function environment(twin: Twin, etcd: TestEtcd, part: Part, side: Side): Promise<Record<string, string>> {
  const login = twin.of(side).mysql.users[`tandem_${part}`];
  if (login === undefined) throw new Error(`no user for ${part}`);
  return {
    TANDEM_REGION: side, TANDEM_REGIONS: String(REGIONS), TANDEM_INSTANCE: `${part}-${side}-1`, TANDEM_HTTP_PORT: String(await freePort()),
    TANDEM_ETCD: etcd.endpoints.join(','), TANDEM_LOG_LEVEL: 'info', TANDEM_CHANGE_PARTITIONS: String(PARTITIONS),
    TANDEM_MYSQL_HOST: login.host, TANDEM_MYSQL_PORT: String(login.port), TANDEM_MYSQL_USER: login.user, TANDEM_MYSQL_PASSWORD: login.password,
    TANDEM_KAFKA: twin.kafkaOf(side).broker, TANDEM_PEER_KAFKA: twin.kafkaOf(other(side)).broker,
  };
}

interface Spec { readonly part: Part; readonly side: Side; readonly env: Record<string, string>; readonly region: Region; readonly isSupervised: boolean }

function processOf({ part, side, env, region, isSupervised }: Spec): CdcProcess {
  const log = openSync(path.join(region.mysql.dir, `${part}.log`), 'a');
  let child: ChildProcess | undefined;
  let ownEnds = 0;
  const start = (): void => {
    const started = spawn(SETPRIV, ['--pdeathsig', 'KILL', '--', process.execPath, ...NODE_MEMORY_ARGS, `${ROOT}cdc/${part}/main.ts`], {
      env: { PATH: process.env['PATH'] ?? '', ...MEMORY_ENV, ...env }, stdio: ['ignore', log, log],
    });
    child = started;
    started.on('exit', (_code, signal) => {
      if (signal === 'SIGKILL') return;
      ownEnds += 1;
      // A supervisor waits as well.
      if (isSupervised) setTimeout(() => child === started && start(), RESTART_AFTER_MS).unref();
    });
  };
  return {
    part, side, start,
    url: `http://127.0.0.1:${env['TANDEM_HTTP_PORT']}`,
    get pid() {
      return child?.pid ?? 0;
    },
    get ownEnds() {
      return ownEnds;
    },
    kill9: async () => {
      const killed = child;
      child = undefined;
      if (killed === undefined || killed.exitCode !== null || killed.signalCode !== null) return;
      const gone = once(killed, 'exit');
      killed.kill('SIGKILL');
      await gone;
    },
  };
}
