/** Ports are assigned without clashes, can be moved all at once or one by one, and bad wishes are named together. */
import { describe, expect, test } from 'vitest';
import { allPorts, assignPorts } from '../../deploy/local/ports.ts';

const REGIONS = ['east', 'west'];

describe('assigned ports', () => {
  test('are all different, and all move with the base', () => {
    const [low, high] = ['17000', '20000'].map((base) => allPorts(assignPorts(REGIONS, { TANDEM_PORT_BASE: base })).map(({ port }) => port)) as [number[], number[]];
    expect(new Set(low).size).toBe(low.length);
    expect(high).toEqual(low.map((port) => port + 3_000));
  });

  test('can be moved one by one, by region and name', () => {
    const ports = assignPorts(REGIONS, { TANDEM_PORT_EAST_ROUTER: '8080', TANDEM_PORT_WEST_DISPATCH_1_GRPC: '8081', TANDEM_PORT_WITNESS_ETCD_PEER: '8082' });
    expect(ports.regions.east?.router).toBe(8080);
    expect(ports.regions.west?.['dispatch-1-grpc']).toBe(8081);
    expect(ports.witness['etcd-peer']).toBe(8082);
    expect(ports.regions.west?.router).toBe(17_200);
  });

  test('every bad variable is named at once', () => {
    const env = { TANDEM_PORT_EAST_MYSQL: 'x', TANDEM_PORT_WEST_REDIS: '80', TANDEM_PORT_EAST_OPS: '17100' };
    expect(() => assignPorts(REGIONS, env)).toThrow(/TANDEM_PORT_EAST_MYSQL[^]*TANDEM_PORT_WEST_REDIS[^]*port 17100/);
  });

  test('a base that leaves no room is refused', () => {
    expect(() => assignPorts(REGIONS, { TANDEM_PORT_BASE: '65500' })).toThrow(/above 65535/);
  });
});
