/**
 * Joins the OpenAPI documents of the services into the one of the region.
 *
 * Invariant: every path under /v1 of every part is in the result, and every $ref points at the schema it pointed at before:
 * where two parts give one name to different schemas, the later one is renamed with its service's name.
 * It does not check the documents: a part that is not an OpenAPI 3.1 object contributes nothing.
 */
import type { ServiceName } from './route-table.ts';

type Json = Record<string, unknown>;

export interface OpenApiPart {
  readonly service: ServiceName;
  /** undefined where the service could not be asked: then it is named as missing. */
  readonly document: unknown;
}

export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

export function mergeOpenApi(info: OpenApiInfo, parts: readonly OpenApiPart[]): Json {
  const paths: Json = {};
  const tags = new Map<string, unknown>();
  const components: Record<string, Json> = {};
  const missing = parts.filter((part) => !isObject(part.document)).map((part) => part.service);
  for (const { service, document } of parts) {
    if (!isObject(document)) continue;
    const renamed = addComponents(components, service, asObject(document['components']));
    for (const [path, item] of Object.entries(asObject(document['paths']))) {
      if (!path.startsWith('/v1/')) continue;
      paths[path] = { ...asObject(paths[path]), ...asObject(rewriteRefs(item, renamed)) };
    }
    for (const tag of Array.isArray(document['tags']) ? document['tags'] : []) {
      tags.set(String(asObject(tag)['name']), tag);
    }
  }
  const sortedPaths = Object.fromEntries(Object.entries(paths).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return {
    openapi: '3.1.0',
    info,
    ...(missing.length > 0 ? { 'x-tandem-missing': missing } : {}),
    tags: [...tags.values()],
    paths: sortedPaths,
    components: withBearer(components),
    security: [{ bearer: [] }],
  };
}

/** Adds a part's components; returns old to new $ref for those that had to be renamed. */
function addComponents(into: Record<string, Json>, service: ServiceName, from: Json): ReadonlyMap<string, string> {
  const renamed = new Map<string, string>();
  for (const [kind, entries] of Object.entries(from)) {
    for (const [name, value] of Object.entries(asObject(entries))) {
      const taken = into[kind]?.[name];
      if (taken === undefined || JSON.stringify(taken) === JSON.stringify(value)) continue;
      renamed.set(`#/components/${kind}/${name}`, `#/components/${kind}/${service}-${name}`);
    }
  }
  for (const [kind, entries] of Object.entries(from)) {
    const target = (into[kind] ??= {});
    for (const [name, value] of Object.entries(asObject(entries))) {
      const ref = renamed.get(`#/components/${kind}/${name}`);
      target[ref === undefined ? name : ref.slice(ref.lastIndexOf('/') + 1)] = rewriteRefs(value, renamed);
    }
  }
  return renamed;
}

function rewriteRefs(value: unknown, renamed: ReadonlyMap<string, string>): unknown {
  if (renamed.size === 0) return value;
  if (Array.isArray(value)) return value.map((item) => rewriteRefs(item, renamed));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string' ? (renamed.get(item) ?? item) : rewriteRefs(item, renamed),
    ]),
  );
}

function withBearer(components: Record<string, Json>): Json {
  const bearer = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' };
  return { ...components, securitySchemes: { ...components['securitySchemes'], bearer } };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asObject(value: unknown): Json {
  return isObject(value) ? value : {};
}
