/**
 * The two-region stack on one machine: a pure function from ports, secrets and programs to the list of processes.
 *
 * Invariant: order of the list = order of start; every address is loopback; no secret stands in a command line. Nothing is
 * started, read or written here.
 */
import path from 'node:path';
import type { Topology } from '../../shared/config/topology.ts';
import { Regions } from '../../shared/kernel/region.ts';
import type { Plan } from './plan.ts';
import { WITNESS } from './ports.ts';
import type { EtcdPorts } from './ports.ts';
import { etcdServer } from './servers/etcd.ts';
import type { EtcdMember } from './servers/etcd.ts';
import { kafkaServer } from './servers/kafka.ts';
import { mysqlServer } from './servers/mysql.ts';
import { redisServer } from './servers/redis.ts';
import { LOOPBACK } from './servers/server-spec.ts';
import type { ServerSpec } from './servers/server-spec.ts';
import { REPO_ROOT } from './state-dir.ts';
import { DATABASE, etcdEndpoints, portsOf, secretsOf } from './stack-input.ts';
import type { StackInput } from './stack-input.ts';
import { regionServices } from './stack-services.ts';
import type { ProcessSpec } from './supervisor/process-spec.ts';

const SERVER_STOP_DEADLINE_MS = 30_000;
/** A leader tries for 9 s to hand over to members that are stopping as well; what it acknowledged is on its disk already. */
const ETCD_STOP_DEADLINE_MS = 1_500;
const TASK_STOP_DEADLINE_MS = 5_000;
/** The broker's id within its region's own cluster of one. */
const KAFKA_NODE_ID = 1;

export function stackOf(input: StackInput): ProcessSpec[] {
  const { names } = Regions.parse(input.plan.regions);
  const servers = [...etcdMembers(input), ...names.flatMap((region) => regionServers(input, region))];
  const tasks = [unitsTask(input), ...names.map((region) => schemaTask(input, region))];
  return [...servers, ...tasks, ...names.flatMap((region) => regionServices(input, region))];
}

/** What the commands need to reach the deployment. Holds the operator's database password: keep the file private. */
export function topologyOf({ plan, secrets }: StackInput): Topology {
  const regions = Regions.parse(plan.regions);
  const ofRegion = (region: string): Topology['regions'][string] => {
    const ports = portsOf(plan, region);
    const password = secretsOf(secrets, region).mysqlUsers.tandem_operator;
    return {
      origin: regions.originOf(region),
      endpoints: {
        router: `http://${LOOPBACK}:${ports.router}`,
        dashboard: `http://${LOOPBACK}:${ports.ops}`,
        mysql: { host: LOOPBACK, port: ports.mysql, user: 'tandem_operator', password, database: DATABASE },
        redis: `${LOOPBACK}:${ports.redis}`,
        kafka: `${LOOPBACK}:${ports.kafka}`,
        cdc: { capture: `http://${LOOPBACK}:${ports.capture}`, apply: `http://${LOOPBACK}:${ports.apply}` },
      },
    };
  };
  return {
    regions: Object.fromEntries(regions.names.map((region) => [region, ofRegion(region)])),
    etcd: etcdEndpoints(plan),
    witness: `${LOOPBACK}:${plan.ports.witness.etcd}`,
  };
}

function etcdMembers({ dirs, plan, secrets }: StackInput): ProcessSpec[] {
  const sites = Object.entries({ ...plan.ports.regions, [WITNESS]: plan.ports.witness } as Record<string, EtcdPorts>);
  const members = sites.map(([site, ports]): EtcdMember & { site: string } => ({
    site, name: `etcd-${site}`, clientPort: ports.etcd, peerPort: ports['etcd-peer'],
  }));
  return members.map((member) => ({
    ...serverProcess(member.name, member.site, etcdServer({
      program: plan.programs.etcd, dir: path.join(dirs.data, member.name), member, members, token: secrets.etcdToken,
    })),
    stopDeadlineMs: ETCD_STOP_DEADLINE_MS,
  }));
}

function regionServers({ dirs, plan, secrets }: StackInput, region: string): ProcessSpec[] {
  const ports = portsOf(plan, region);
  const secret = secretsOf(secrets, region);
  const { programs } = plan;
  const dirOf = (name: string): string => path.join(dirs.data, `${name}-${region}`);
  const mysql = mysqlServer({
    program: programs.mysql, dir: dirOf('mysql'), cache: dirs.cache, port: ports.mysql, socket: dirs.socket(`mysql-${region}`),
    serverId: Regions.parse(plan.regions).originOf(region), rootPassword: secret.mysqlRoot, database: DATABASE,
  });
  const redis = redisServer({ program: programs.redis, dir: dirOf('redis'), port: ports.redis, password: secret.redis });
  const kafka = kafkaServer({
    java: programs.java, jars: programs.kafkaJars, dir: dirOf('kafka'), port: ports.kafka, controllerPort: ports['kafka-controller'],
    nodeId: KAFKA_NODE_ID, clusterId: secret.kafkaClusterId,
  });
  return [
    serverProcess(`mysql-${region}`, region, mysql),
    serverProcess(`redis-${region}`, region, redis),
    serverProcess(`kafka-${region}`, region, kafka),
  ];
}

function serverProcess(name: string, region: string, spec: ServerSpec): ProcessSpec {
  return { name, region, kind: 'server', after: [], stopDeadlineMs: SERVER_STOP_DEADLINE_MS, ...spec };
}

/** Gives every unit its first home, once a majority of etcd is there. */
function unitsTask({ plan }: StackInput): ProcessSpec {
  return task('units', null, {
    after: etcdEndpointNames(plan),
    env: { TANDEM_REGIONS: plan.regions, TANDEM_ETCD: etcdEndpoints(plan).join(',') },
  });
}

/** Brings the region's tables, triggers and users to this version. */
function schemaTask({ dirs, plan, secrets }: StackInput, region: string): ProcessSpec {
  return task('schema', region, {
    after: [`mysql-${region}`],
    env: {
      TANDEM_REGION: region,
      TANDEM_REGIONS: plan.regions,
      TANDEM_MYSQL_HOST: LOOPBACK,
      TANDEM_MYSQL_PORT: String(portsOf(plan, region).mysql),
      TANDEM_MYSQL_USER: 'root',
      TANDEM_MYSQL_PASSWORD: secretsOf(secrets, region).mysqlRoot,
      TANDEM_MYSQL_DATABASE: DATABASE,
      TANDEM_SECRETS: dirs.secretsFile,
    },
  });
}

function etcdEndpointNames(plan: Plan): string[] {
  return [...Object.keys(plan.ports.regions), WITNESS].map((site) => `etcd-${site}`);
}

function task(script: string, region: string | null, { after, env }: { after: readonly string[]; env: Record<string, string> }): ProcessSpec {
  return {
    name: region === null ? script : `${script}-${region}`,
    region,
    kind: 'task',
    command: process.execPath,
    args: [path.join(REPO_ROOT, 'deploy', 'local', 'bootstrap', `${script}.ts`)],
    env,
    after,
    stopDeadlineMs: TASK_STOP_DEADLINE_MS,
  };
}
