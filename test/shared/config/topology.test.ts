/** A topology file is taken whole or refused, with every incomplete place named. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readTopology } from '../../../shared/config/topology.ts';
import type { Topology } from '../../../shared/config/topology.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';

const dir = mkdtempSync(join(tmpdir(), 'tandem-topology-'));
afterAll(() => rmSync(dir, { recursive: true }));

function written(content: string): string {
  const path = join(dir, 'topology.json');
  writeFileSync(path, content);
  return path;
}

function region(origin: number): Topology['regions'][string] {
  return {
    origin,
    endpoints: {
      router: 'http://127.0.0.1:1',
      dashboard: 'http://127.0.0.1:2/',
      mysql: { host: '127.0.0.1', port: 3306, user: 'tandem_operator', password: 'p', database: 'tandem' },
      redis: '127.0.0.1:3',
      kafka: '127.0.0.1:4',
      cdc: { capture: 'http://127.0.0.1:7', apply: 'http://127.0.0.1:8' },
    },
  };
}

const topology: Topology = { regions: { east: region(1), west: region(2) }, etcd: ['127.0.0.1:5'], witness: '127.0.0.1:6' };

test('a complete topology is read as it is', () => {
  expect(readTopology(written(JSON.stringify(topology)))).toEqual(topology);
});

test('every incomplete place is named at once', () => {
  const east = region(99);
  east.endpoints.redis = 'redis';
  const path = written(JSON.stringify({ ...topology, regions: { ...topology.regions, east }, etcd: [] }));
  expect(() => readTopology(path)).toThrow(
    expect.toSatisfy((e) => isTandemError(e, 'config-invalid') && ['/regions/east/origin', '/endpoints/redis', '/etcd'].every((at) => e.message.includes(at))),
  );
});

test('a missing file means that nothing was set up; a broken one is a fault in it', () => {
  expect(() => readTopology(join(dir, 'none.json'))).toThrow(expect.toSatisfy((e) => isTandemError(e, 'stack-absent')));
  expect(() => readTopology(written('{'))).toThrow(expect.toSatisfy((e) => isTandemError(e, 'config-invalid')));
});
