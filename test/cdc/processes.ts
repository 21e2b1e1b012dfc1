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
import { freePort } from '../harness/free-port.ts';
import type { TestEtcd } from '../harness/etcd.ts';
import { PARTITIONS, REGIONS, SIDES } from './twin.ts';
import type { Region, Side, Twin } from './twin.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const SETPRIV = '/usr/bin/setpriv';
export type Part = 'capture' | 'apply';

export interface CdcProcess {
  readonly part: Part;
  readonly side: Side;
  readonly url: string;
  readonly pid: number;
  kill9(): Promise<void>;
  start(): void;
}

export interface CdcProcesses extends AsyncDisposable {
  readonly all: readonly CdcProcess[];
  of(part: Part, side: Side): CdcProcess;
}

export async function startProcesses(twin: Twin, etcd: TestEtcd): Promise<CdcProcesses> {
  const all: CdcProcess[] = [];
  for (const side of SIDES) {
    for (const part of ['capture', 'apply'] as const) all.push(processOf(part, side, await environment(twin, etcd, part, side), twin.of(side)));
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
    TANDEM_KAFKA: twin.kafka.broker, TANDEM_PEER_KAFKA: twin.kafka.broker,
  };
}

function processOf(part: Part, side: Side, env: Record<string, string>, region: Region): CdcProcess {
  const log = openSync(path.join(region.mysql.dir, `${part}.log`), 'a');
  let child: ChildProcess | undefined;
  return {
    part, side,
    url: `http://127.0.0.1:${env['TANDEM_HTTP_PORT']}`,
    get pid() {
      return child?.pid ?? 0;
    },
    start: () => {
      child = spawn(SETPRIV, ['--pdeathsig', 'KILL', '--', process.execPath, `${ROOT}cdc/${part}/main.ts`], {
        env: { PATH: process.env['PATH'] ?? '', ...env }, stdio: ['ignore', log, log],
      });
    },
    kill9: async () => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
