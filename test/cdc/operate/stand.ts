/** Two regions with their real capture and apply processes, and the command line's functions pointed at them. */
import type { Answer, OperateDeps } from '../../../cdc/operate/commands/answer.ts';
import { showStatus } from '../../../cdc/operate/commands/status.ts';
import type { Topology } from '../../../shared/config/topology.ts';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import { seedUnits } from '../../../shared/etcd/units.ts';
import { createKeyPair, signToken } from '../../../shared/http/auth.ts';
import type { Role } from '../../../shared/http/auth.ts';
import { startEtcd } from '../../harness/etcd.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { startProcesses } from '../processes.ts';
import type { CdcProcess, CdcProcesses, Part } from '../processes.ts';
import { REGIONS, SIDES, startTwin, until } from '../twin.ts';
import type { Side, Twin } from '../twin.ts';
import { deps } from './fixtures.ts';

export interface Stand extends AsyncDisposable {
  readonly twin: Twin;
  readonly processes: CdcProcesses;
  readonly topology: Topology;
  /** Ada's command line; nobody types. */
  readonly deps: OperateDeps;
  tokenOf(role: Role): Promise<string>;
  /** What `cdc status --json` says of a part. */
  statusOf(part: Part, side: Side): Promise<Record<string, any>>;
  /** action and subject of each audit row of a region, in order. */
  audited(side: Side): Promise<string[]>;
}

export async function startStand(engine: TestMysql['engine']): Promise<Stand> {
  const [twin, etcd, keys] = await Promise.all([startTwin(engine), startEtcd(), createKeyPair()]);
  const client = openEtcd({ endpoints: etcd.endpoints, log: twin.east.log });
  await seedUnits(client, REGIONS);
  await client.close();
  const env = { TANDEM_JWT_PUBLIC_KEY: Buffer.from(JSON.stringify(keys.publicJwk)).toString('base64url') };
  const processes = await startProcesses(twin, etcd, { env });
  const topology = topologyOf(twin, processes, etcd.endpoints);
  const tokenOf = (role: Role): Promise<string> => signToken(keys.privateJwk, { accountId: 7n, role, name: 'ada', ttlS: 3_600 });
  const operate = deps(topology, { operator: async () => ({ name: 'ada', token: await tokenOf('operator') }) });
  await Promise.all(processes.all.map((each) => until(`${each.part} of ${each.side}`, () => isReady(each))));
  return {
    twin, processes, topology, tokenOf, deps: operate,
    statusOf: async (part, side) => partOf(await showStatus(operate), part, side),
    audited: async (side) => (await twin.of(side).sql.query<{ line: string }>("SELECT CONCAT(actor, ' ', action, ' ', subject) AS line FROM _audit ORDER BY id")).map(({ line }) => line),
    [Symbol.asyncDispose]: async () => {
      await processes[Symbol.asyncDispose]();
      await Promise.all([twin[Symbol.asyncDispose](), etcd.stop()]);
    },
  };
}

export const isReady = async (each: CdcProcess): Promise<boolean> => (await fetch(`${each.url}/health/ready`).catch(() => undefined))?.ok ?? false;

function partOf({ json }: Answer, part: Part, side: Side): Record<string, any> {
  return (json as { regions: Record<Side, Record<Part, Record<string, any>>> }).regions[side][part];
}

function topologyOf(twin: Twin, processes: CdcProcesses, etcd: readonly string[]): Topology {
  const region = (side: Side): Topology['regions'][string] => {
    const { host, port, user, password, database } = twin.of(side).mysql.users['tandem_operator'] as TestMysql['config'];
    return {
      origin: REGIONS.originOf(side),
      endpoints: {
        router: 'http://127.0.0.1:1', dashboard: 'http://127.0.0.1:1', redis: '127.0.0.1:1', kafka: twin.kafka.broker,
        mysql: { host, port, user, password, database },
        cdc: { capture: processes.of('capture', side).url, apply: processes.of('apply', side).url },
      },
    };
  };
  return { regions: Object.fromEntries(SIDES.map((side) => [side, region(side)])), etcd: [...etcd], witness: '127.0.0.1:1' };
}
