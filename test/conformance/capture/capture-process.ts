/** The real capture process of region east, started as the stack starts it, for tests that measure its memory. Ended by dispose, and with the test process. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { MEMORY_ENV, NODE_MEMORY_ARGS } from '../../../deploy/local/stack-services.ts';
import type { TestEtcd } from '../../harness/etcd.ts';
import { freePort } from '../../harness/free-port.ts';
import { REGIONS } from '../../cdc/twin.ts';
import { PARTITIONS } from './solo.ts';
import type { Solo } from './solo.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;
const SETPRIV = '/usr/bin/setpriv';

export interface CaptureProcess extends AsyncDisposable {
  readonly url: string;
  isReady(): Promise<boolean>;
  /** The most it ever held. */
  residentMibMax(): number;
}

export async function startCaptureProcess({ mysql, broker }: Pick<Solo, 'mysql' | 'broker'>, etcd: TestEtcd): Promise<CaptureProcess> {
  const login = mysql.users['tandem_capture'];
  if (login === undefined) throw new Error('no user for capture');
  const httpPort = await freePort();
  const log = openSync(path.join(mysql.dir, 'capture.log'), 'a');
  const child: ChildProcess = spawn(SETPRIV, ['--pdeathsig', 'KILL', '--', process.execPath, ...NODE_MEMORY_ARGS, `${ROOT}cdc/capture/main.ts`], {
    env: {
      PATH: process.env['PATH'] ?? '', ...MEMORY_ENV, TANDEM_REGION: 'east', TANDEM_REGIONS: String(REGIONS), TANDEM_INSTANCE: 'capture-east-1', TANDEM_HTTP_PORT: String(httpPort),
      TANDEM_ETCD: etcd.endpoints.join(','), TANDEM_CHANGE_PARTITIONS: String(PARTITIONS), TANDEM_KAFKA: broker.broker,
      TANDEM_MYSQL_HOST: login.host, TANDEM_MYSQL_PORT: String(login.port), TANDEM_MYSQL_USER: login.user, TANDEM_MYSQL_PASSWORD: login.password,
    },
    stdio: ['ignore', log, log],
  });
  const url = `http://127.0.0.1:${httpPort}`;
  return {
    url,
    isReady: async () => (await fetch(`${url}/health/ready`).catch(() => undefined))?.ok ?? false,
    residentMibMax: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
