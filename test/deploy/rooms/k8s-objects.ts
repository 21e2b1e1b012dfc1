/**
 * One region's Kubernetes objects as kustomize would render them, as far as the tests need it: the base's resources, with
 * process.yaml laid over its workloads. Names, images and hosts of an overlay are checked where they stand.
 */
import path from 'node:path';
import { readYaml } from './repo-files.ts';

export const BASE = 'deploy/k8s/base';

type Source = { readonly secretKeyRef?: { name: string; key: string }; readonly fieldRef?: { fieldPath: string } };

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly env?: readonly { name: string; value?: string; valueFrom?: Source }[];
  readonly envFrom: readonly { configMapRef: { name: string } }[];
  readonly ports?: readonly { name: string; containerPort: number }[];
  readonly resources: { requests: Record<string, string>; limits: Record<string, string> };
  readonly securityContext: Record<string, unknown>;
  readonly livenessProbe?: { httpGet: { path: string; port: string } };
  readonly readinessProbe?: { httpGet: { path: string; port: string } };
  readonly startupProbe?: { httpGet: { path: string; port: string } };
  readonly volumeMounts: readonly { name: string; mountPath: string }[];
}

export interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext: Record<string, unknown>;
  readonly containers: readonly Container[];
  readonly volumes: readonly { name: string }[];
}

export interface KubeObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Record<string, never>;
}

export interface Workload extends Omit<KubeObject, 'spec'> {
  readonly spec: {
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly selector?: { matchLabels: Record<string, string> };
    readonly template: { readonly metadata: { labels: Record<string, string> }; readonly spec: PodSpec };
  };
}

export interface Kustomization {
  readonly resources: readonly string[];
  readonly namespace?: string;
  readonly images?: readonly { name: string; newName: string; newTag: string }[];
  readonly configMapGenerator?: readonly { name: string; envs: readonly string[] }[];
  readonly patches: readonly { path?: string; patch?: string; target: { kind: string; name?: string } }[];
}

export function readKustomization(folder: string): Kustomization {
  return readYaml<Kustomization>(path.join(folder, 'kustomization.yaml'))[0]!;
}

export function baseObjects(): readonly KubeObject[] {
  const { resources, patches } = readKustomization(BASE);
  const overlays = patches.map(({ path: file, target }) => ({ kind: target.kind, patch: readYaml(path.join(BASE, file!))[0] }));
  return resources.flatMap((file) => readYaml<KubeObject>(path.join(BASE, file))).map((object) => {
    const patch = overlays.find(({ kind }) => kind === object.kind)?.patch as Partial<KubeObject> | undefined;
    return patch === undefined ? object : ({ ...object, spec: merge(object.spec, patch.spec) } as KubeObject);
  });
}

export function isWorkload(object: { readonly kind: string }): object is Workload {
  return ['Deployment', 'StatefulSet', 'Job'].includes(object.kind);
}

/** A strategic merge in small: maps by key, lists of named things by name, everything else is replaced. */
function merge(below: unknown, above: unknown): unknown {
  if (above === undefined) return below;
  if (isNamedList(below) && isNamedList(above)) {
    const names = [...new Set([...above, ...below].map(({ name }) => name))];
    return names.map((name) => merge(below.find((entry) => entry.name === name), above.find((entry) => entry.name === name)));
  }
  if (!isMap(below) || !isMap(above)) return above;
  return Object.fromEntries([...new Set([...Object.keys(below), ...Object.keys(above)])].map((key) => [key, merge(below[key], above[key])]));
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNamedList(value: unknown): value is readonly { name: string }[] {
  return Array.isArray(value) && value.length > 0 && value.every((entry) => isMap(entry) && typeof entry['name'] === 'string');
}
