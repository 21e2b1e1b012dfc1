/**
 * Tandem's own processes of one region, with the environment each of them reads. Pure.
 *
 * Invariant: a process gets only the secrets it uses, through its environment (which other users cannot read), and the
 * database user made for it. How they find each other stands here and nowhere else.
 */
import path from 'node:path';
import { Regions } from '../../shared/kernel/region.ts';
import { GRACE_MS } from '../../shared/lifecycle/run-process.ts';
import type { DatabaseUser } from '../../shared/schema/grants.ts';
import type { RegionPort, RegionPorts } from './ports.ts';
import { probeHttp } from './servers/probes.ts';
import { LOOPBACK } from './servers/server-spec.ts';
import { DATABASE, etcdEndpoints, portsOf, secretsOf } from './stack-input.ts';
import type { StackInput } from './stack-input.ts';
import { REPO_ROOT } from './state-dir.ts';
import type { ProcessSpec } from './supervisor/process-spec.ts';

/**
 * For glibc's allocator: one heap for each thread would double what a small process holds, and a threshold that it raises by itself would
 * keep every large buffer that was freed.
 */
export const MEMORY_ENV = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '1048576', MALLOC_TRIM_THRESHOLD_: '1048576' } as const;
/** One of these each: small enough that eighteen of them fit, large enough for a full day of trips. */
export const NODE_MEMORY_ARGS = ['--max-old-space-size=192', '--max-semi-space-size=4'];
const STOP_SLACK_MS = 2_000;
/** How many partitions each region's changes travel in. */
export const CHANGE_PARTITIONS = 4;

interface Service {
  readonly name: string;
  readonly main: string;
  readonly http: RegionPort;
  readonly grpc?: RegionPort;
  readonly env: Readonly<Record<string, string>>;
}

export function regionServices(input: StackInput, region: string): ProcessSpec[] {
  const inner = innerServices(input, region).map((service) => serviceProcess(input, region, service, serversOf(service, region)));
  // The front door opens last and closes first, so that a stop loses no request.
  const outer = serviceProcess(input, region, router(input, region), inner.map((spec) => spec.name));
  return [...inner, outer];
}

/** What it comes after follows from what it is told of: who knows no Kafka need not wait for it. */
function serversOf({ env }: Service, region: string): string[] {
  return [
    'units',
    ...('TANDEM_MYSQL_HOST' in env ? [`mysql-${region}`, `schema-${region}`] : []),
    ...('TANDEM_REDIS_URL' in env ? [`redis-${region}`] : []),
    ...('TANDEM_KAFKA' in env ? [`kafka-${region}`] : []),
  ];
}

function innerServices(input: StackInput, region: string): Service[] {
  const { plan } = input;
  const ports = portsOf(plan, region);
  const peer = portsOf(plan, Regions.parse(plan.regions).peerOf(region));
  const mysql = (user: DatabaseUser): Record<string, string> => mysqlEnv(input, region, user);
  const kafka = { TANDEM_KAFKA: at(ports.kafka), TANDEM_PEER_KAFKA: at(peer.kafka), TANDEM_CHANGE_PARTITIONS: String(CHANGE_PARTITIONS) };
  const redis = { TANDEM_REDIS_URL: `redis://:${secretsOf(input.secrets, region).redis}@${at(ports.redis)}` };
  const grpc = {
    TANDEM_PRICING_GRPC: at(ports['pricing-grpc']),
    TANDEM_LOCATION_GRPC: at(ports['location-grpc']),
    TANDEM_DISPATCH_GRPC: [ports['dispatch-1-grpc'], ports['dispatch-2-grpc']].map(at).join(','),
  };
  const dispatch = { main: 'services/dispatch/main.ts', env: { ...mysql('tandem_dispatch'), ...redis, ...grpc } };
  return [
    { name: 'pricing', main: 'services/pricing/main.ts', http: 'pricing', grpc: 'pricing-grpc', env: { ...mysql('tandem_pricing'), ...redis, ...grpc } },
    { name: 'location', main: 'services/location/main.ts', http: 'location', grpc: 'location-grpc', env: { ...redis, ...grpc } },
    { name: 'dispatch', ...dispatch, http: 'dispatch-1', grpc: 'dispatch-1-grpc' },
    { name: 'dispatch', ...dispatch, http: 'dispatch-2', grpc: 'dispatch-2-grpc' },
    { name: 'payment', main: 'services/payment/main.ts', http: 'payment', env: { ...mysql('tandem_payment'), ...redis } },
    { name: 'capture', main: 'cdc/capture/main.ts', http: 'capture', env: { ...mysql('tandem_capture'), ...kafka } },
    { name: 'apply', main: 'cdc/apply/main.ts', http: 'apply', env: { ...mysql('tandem_apply'), ...kafka } },
    {
      name: 'ops', main: 'services/ops/main.ts', http: 'ops',
      env: { ...mysql('tandem_ops'), ...redis, ...kafka, TANDEM_TARGETS: targets(region, ports), TANDEM_PEER_OPS: url(peer.ops) },
    },
  ];
}

function router({ plan }: StackInput, region: string): Service {
  const ports = portsOf(plan, region);
  const peer = portsOf(plan, Regions.parse(plan.regions).peerOf(region));
  const upstreams = {
    dispatch: [ports['dispatch-1'], ports['dispatch-2']],
    location: [ports.location],
    payment: [ports.payment],
  };
  return {
    name: 'router', main: 'services/router/main.ts', http: 'router',
    env: {
      TANDEM_UPSTREAMS: Object.entries(upstreams).map(([name, list]) => `${name}=${list.map(at).join(',')}`).join(';'),
      TANDEM_PEER_ROUTER: url(peer.router),
    },
  };
}

function serviceProcess(input: StackInput, region: string, service: Service, after: readonly string[]): ProcessSpec {
  const { dirs, plan, secrets } = input;
  const ports = portsOf(plan, region);
  const name = instanceName(service.name, service.http, region);
  const port = ports[service.http];
  return {
    name,
    region,
    kind: 'service',
    command: process.execPath,
    args: [...NODE_MEMORY_ARGS, path.join(REPO_ROOT, service.main)],
    env: {
      TANDEM_REGION: region,
      TANDEM_REGIONS: plan.regions,
      TANDEM_INSTANCE: name,
      TANDEM_HOST: LOOPBACK,
      TANDEM_HTTP_PORT: String(port),
      ...(service.grpc === undefined ? {} : { TANDEM_GRPC_PORT: String(ports[service.grpc]) }),
      TANDEM_ETCD: etcdEndpoints(plan, region).join(','),
      TANDEM_JWT_PUBLIC_KEY: Buffer.from(JSON.stringify(secrets.jwt.publicJwk)).toString('base64url'),
      ...MEMORY_ENV,
      NODE_COMPILE_CACHE: path.join(dirs.cache, 'node'),
      ...service.env,
    },
    after,
    ready: () => probeHttp(port, '/health/ready'),
    stopDeadlineMs: GRACE_MS + STOP_SLACK_MS,
  };
}

/** router-east; where there are several, dispatch-east-1 and dispatch-east-2. */
function instanceName(service: string, http: RegionPort, region: string): string {
  const number = /-\d+$/.exec(http)?.[0] ?? '';
  return `${service}-${region}${number}`;
}

function targets(region: string, ports: RegionPorts): string {
  const list = (['router', 'pricing', 'location', 'dispatch-1', 'dispatch-2', 'payment', 'capture', 'apply', 'ops'] as const);
  return list.map((http) => `${instanceName(http.replace(/-\d+$/, ''), http, region)}=${url(ports[http])}`).join(';');
}

function mysqlEnv({ plan, secrets }: StackInput, region: string, user: DatabaseUser): Record<string, string> {
  return {
    TANDEM_MYSQL_HOST: LOOPBACK,
    TANDEM_MYSQL_PORT: String(portsOf(plan, region).mysql),
    TANDEM_MYSQL_USER: user,
    TANDEM_MYSQL_PASSWORD: secretsOf(secrets, region).mysqlUsers[user],
    TANDEM_MYSQL_DATABASE: DATABASE,
  };
}

function at(port: number): string {
  return `${LOOPBACK}:${port}`;
}

function url(port: number): string {
  return `http://${at(port)}`;
}
