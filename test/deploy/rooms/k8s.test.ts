/**
 * What can be known of deploy/k8s without a cluster: each process accepts its environment in both regions, is probed, bounded
 * and confined, and everything that one object says of another is so.
 */
import path from 'node:path';
import { expect, test } from 'vitest';
import { GRACE_MS } from '../../../shared/lifecycle/run-process.ts';
import { checkConfig } from './config-reader.ts';
import { baseObjects, BASE, isWorkload, readKustomization } from './k8s-objects.ts';
import type { Container, Workload } from './k8s-objects.ts';
import { filesLike, isFile, readEnvFile } from './repo-files.ts';

const REGIONS = ['east', 'west'] as const;
const objects = baseObjects();
const workloads = objects.filter((object): object is Workload & (typeof objects)[number] => isWorkload(object));
const processes = workloads.filter(({ kind }) => kind !== 'Job');
const secrets: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'tandem': readEnvFile('deploy/k8s/secret.env.example'),
  'tandem-bootstrap': { ROOT_USER: 'admin', ROOT_PASSWORD: 'example-root-password' },
};
const namesOf = (kind: string) => objects.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);

const overlayFolder = (region: string): string => `deploy/k8s/overlays/${region}`;
const regionEnv = (region: string) => readEnvFile(`${overlayFolder(region)}/region.env`);

/** As the kubelet does: the config map first, then `env` over it. */
function environmentOf({ env = [], envFrom }: Container, region: string, pod: string): Record<string, string> {
  const base = envFrom.some(({ configMapRef }) => configMapRef.name === 'region') ? regionEnv(region) : {};
  const own = env.map(({ name, value, valueFrom }) => {
    const { secretKeyRef: secret } = valueFrom ?? {};
    const found = value ?? (secret === undefined ? pod : secrets[secret.name]?.[secret.key]);
    if (found === undefined) throw new Error(`${name}: no key ${secret?.key} in the secret ${secret?.name}`);
    return [name, found] as const;
  });
  return { ...base, ...Object.fromEntries(own) };
}

const onlyContainer = ({ spec }: Workload): Container => spec.template.spec.containers[0]!;
const mainOf = (workload: Workload): string => onlyContainer(workload).command.at(-1)!;

test.each(REGIONS)('each process accepts its environment in %s', async (region) => {
  expect(processes.map(({ metadata }) => metadata.name).toSorted())
    .toEqual(['apply', 'capture', 'dispatch', 'location', 'ops', 'payment', 'pricing', 'router']);
  const problems: string[] = [];
  const unreadByAll = new Set(Object.keys(regionEnv(region)));
  for (const workload of processes) {
    const container = onlyContainer(workload);
    const env = environmentOf(container, region, `${workload.metadata.name}-0`);
    const { complaint, unread, config } = await checkConfig(mainOf(workload), env);
    if (complaint !== '') problems.push(`${workload.metadata.name}: ${complaint}`);
    if (config !== null) expect(config['region']).toBe(region);
    for (const key of unreadByAll) if (!unread.includes(key)) unreadByAll.delete(key);
    const ownUnread = unread.filter((key) => container.env?.some(({ name }) => name === key));
    if (ownUnread.length > 0) problems.push(`${workload.metadata.name} does not read ${ownUnread.join(', ')}`);
  }
  expect(problems).toEqual([]);
  expect([...unreadByAll], 'in region.env and read by nobody').toEqual([]);
});

test('every program is there, and every workload runs the image that the overlays name', () => {
  expect(workloads.map(mainOf).filter((main) => !isFile(main))).toEqual([]);
  expect(new Set(workloads.map((workload) => onlyContainer(workload).image))).toEqual(new Set(['tandem']));
  for (const region of REGIONS) {
    const { images = [], namespace, configMapGenerator = [], resources } = readKustomization(overlayFolder(region));
    expect(images).toEqual([{ name: 'tandem', newName: expect.any(String), newTag: expect.stringMatching(/^\d+\.\d+\.\d+$/) }]);
    expect(namespace).toBe(`tandem-${region}`);
    expect(configMapGenerator).toEqual([{ name: 'region', envs: ['region.env'] }]);
    expect(resources).toEqual(['../../base']);
  }
});

test('the two regions differ in their names alone', () => {
  const mirrored = Object.entries(regionEnv('east')).map(([key, value]) => {
    if (key === 'TANDEM_REGIONS') return [key, value]; // the same everywhere
    return [key, value.replaceAll(/east|west/g, (name) => (name === 'east' ? 'west' : 'east'))];
  });
  expect(regionEnv('west')).toEqual(Object.fromEntries(mirrored));
});

test('every file of the base is in its kustomization', () => {
  const { resources, patches } = readKustomization(BASE);
  const listed = [...resources, ...patches.map(({ path: file }) => file!), 'kustomization.yaml'];
  const there = filesLike(`${BASE}/*.yaml`).map((file) => path.basename(file));
  expect([...new Set(listed)].toSorted()).toEqual(there);
});

test('every process is probed, bounded, and may do as little as it can do with', () => {
  for (const workload of workloads) {
    const { name } = workload.metadata;
    const pod = workload.spec.template.spec;
    expect(pod.containers, name).toHaveLength(1);
    const container = onlyContainer(workload);
    expect(pod.securityContext, name).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } });
    expect(container.securityContext, name).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
    expect(pod.automountServiceAccountToken, name).toBe(false);
    expect(container.resources, name).toMatchObject({ requests: { cpu: expect.anything(), memory: expect.anything() }, limits: { memory: expect.anything() } });
    for (const mount of container.volumeMounts) expect(pod.volumes.map((volume) => volume.name), name).toContain(mount.name);
    if (workload.kind === 'Job') continue;
    expect(container.livenessProbe?.httpGet, name).toEqual({ path: '/health/live', port: 'http' });
    expect(container.readinessProbe?.httpGet, name).toEqual({ path: '/health/ready', port: 'http' });
    expect(container.startupProbe?.httpGet, name).toEqual({ path: '/health/live', port: 'http' });
    expect(pod.terminationGracePeriodSeconds! * 1000, name).toBeGreaterThan(GRACE_MS + 3_000);
  }
});

test('selectors select: services, budgets and policies name labels that pods carry', () => {
  const apps = new Set(workloads.map(({ spec }) => spec.template.metadata.labels['app']));
  for (const { spec, metadata } of processes) expect(spec.selector?.matchLabels, metadata.name).toEqual({ app: spec.template.metadata.labels['app'] });
  const selectors = objects.flatMap(({ kind, metadata, spec: raw }) => {
    const spec = raw as { selector?: Record<string, unknown>; podSelector?: { matchLabels?: Record<string, string> } };
    if (kind === 'Service') return [{ name: metadata.name, labels: spec.selector as Record<string, string> }];
    if (kind === 'PodDisruptionBudget') return [{ name: metadata.name, labels: spec.selector!['matchLabels'] as Record<string, string> }];
    return kind === 'NetworkPolicy' && spec.podSelector?.matchLabels ? [{ name: metadata.name, labels: spec.podSelector.matchLabels }] : [];
  });
  for (const { name, labels } of selectors) expect(apps, name).toContain(labels['app']);
  expect(namesOf('PodDisruptionBudget').toSorted()).toEqual(processes.map(({ metadata }) => metadata.name).toSorted());
  expect(namesOf('NetworkPolicy')).toContain('nobody');
});

test('the hosts that processes call inside the region are services, and the instances exist', () => {
  const hosts = new Set(namesOf('Service'));
  for (const { kind, metadata, spec } of processes) {
    if (kind !== 'StatefulSet') continue;
    expect(hosts, metadata.name).toContain(spec.serviceName);
    for (let n = 0; n < spec.replicas!; n += 1) hosts.add(`${metadata.name}-${n}.${spec.serviceName}`);
  }
  const outside = /\.tandem\.example$/;
  const problems: string[] = [];
  for (const region of REGIONS) {
    for (const workload of processes) {
      for (const [key, value] of Object.entries(environmentOf(onlyContainer(workload), region, 'pod-0'))) {
        for (const [, host = ''] of value.matchAll(/(?<=^|[=,@/])([a-z][a-z0-9.-]+):\d+/g)) {
          if (!hosts.has(host) && !outside.test(host)) problems.push(`${workload.metadata.name}: ${key} names ${host}`);
        }
      }
    }
    const watched = regionEnv(region)['TANDEM_TARGETS']!.split(';').map((entry) => new URL(entry.slice(entry.indexOf('=') + 1)).hostname.split('.')[0]);
    const pods = processes.flatMap(({ metadata, spec, kind }) =>
      kind === 'StatefulSet' ? Array.from({ length: spec.replicas! }, (_, n) => `${metadata.name}-${n}`) : [metadata.name]);
    expect(watched.toSorted()).toEqual(pods.toSorted());
  }
  expect(problems).toEqual([]);
});

test('every key of the example secret is used, and no other is asked for', () => {
  const asked = workloads.flatMap((workload) => onlyContainer(workload).env ?? []).flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []);
  const keys = new Set(asked.filter(({ name }) => name === 'tandem').map(({ key }) => key));
  expect([...keys].toSorted()).toEqual(Object.keys(secrets['tandem']!).toSorted());
  expect(asked.filter(({ name }) => secrets[name] === undefined)).toEqual([]);
});
