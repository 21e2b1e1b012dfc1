/**
 * The CLI's view of a deployment: where each region's front door and stores are (locally .tandem/topology.json).
 *
 * Invariant: what readTopology returns is complete; a command never finds half an endpoint later. Which region is home of
 * what, and which is healthy, is not in it: that is asked of etcd and of the regions at the time.
 */
import { readFileSync } from 'node:fs';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { TandemError } from '../kernel/tandem-error.ts';

const Port = Type.Integer({ minimum: 1, maximum: 65_535 });
const HostPort = Type.String({ pattern: '^[^\\s:]+:[0-9]{1,5}$' });
const HttpUrl = Type.String({ pattern: '^https?://[^\\s/]+$' });

const Endpoints = Type.Object({
  router: HttpUrl,
  dashboard: Type.String({ pattern: '^https?://\\S+$' }),
  mysql: Type.Object({
    host: Type.String({ minLength: 1 }),
    port: Port,
    user: Type.String({ minLength: 1 }),
    password: Type.String(),
    database: Type.String({ minLength: 1 }),
  }),
  redis: HostPort,
  kafka: HostPort,
  /** The control APIs of the region's capture and apply, /v1/cdc (cdc/operate). */
  cdc: Type.Object({ capture: HttpUrl, apply: HttpUrl }),
});

const TopologySchema = Type.Object({
  regions: Type.Record(
    Type.String({ pattern: '^[a-z][a-z0-9-]*$' }),
    Type.Object({ origin: Type.Integer({ minimum: 1, maximum: 15 }), endpoints: Endpoints }),
    { minProperties: 2 },
  ),
  etcd: Type.Array(HostPort, { minItems: 1 }),
  witness: Type.String({ minLength: 1 }),
});

export type Topology = Static<typeof TopologySchema>;

/** Reads and checks the file. Throws stack-absent where there is none, config-invalid, which lists every bad place at once. */
export function readTopology(path: string): Topology {
  const topology = parseFile(path);
  const problems = Value.Errors(TopologySchema, topology).map((e) => `${path}: ${e.instancePath || '/'} ${e.message}`);
  if (problems.length > 0) throw new TandemError('config-invalid', problems.join('\n'), { details: { problems } });
  return topology as Topology;
}

function parseFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw new TandemError('stack-absent', `${path}: there is no such file`);
    throw new TandemError('config-invalid', `${path}: ${(cause as Error).message}`, { cause });
  }
}
