/** Where a request goes: the table of routes, the plan of regions, what is learned, and the joined API document. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closeFrame, FrameBoundary } from '../../../services/router/domain/frame-boundary.ts';
import { LearnedUnits } from '../../../services/router/domain/learned-units.ts';
import { mergeOpenApi } from '../../../services/router/domain/open-api.ts';
import { planSides } from '../../../services/router/domain/placement.ts';
import { matchRoute, ROUTES } from '../../../services/router/domain/route-table.ts';

describe('the route table', () => {
  it('finds every route by its own method and path', () => {
    for (const route of ROUTES) {
      const match = matchRoute(route.method, route.pattern.replace('{id}', '42'));
      expect(match).toMatchObject({ kind: 'route', route: { name: route.name } });
    }
  });

  it('tells a wrong method from an unknown path, and takes no empty id', () => {
    expect(matchRoute('DELETE', '/v1/quotes')).toEqual({ kind: 'wrong-method', allow: ['POST'] });
    expect(matchRoute('GET', '/v1/nothing')).toEqual({ kind: 'unknown' });
    expect(matchRoute('GET', '/v1/rides/')).toEqual({ kind: 'unknown' });
    expect(matchRoute('HEAD', '/v1/rides/7')).toMatchObject({ kind: 'route', id: '7' });
  });

  it('every route that moves money is a write with a key', () => {
    const money = ROUTES.filter((route) => route.money);
    expect(money.map((route) => route.name)).toEqual(['ride-tip', 'ride-payment']);
    expect(money.every((route) => route.keyed && !route.safe)).toBe(true);
  });
});

describe('the plan of regions', () => {
  const any = fc.record({
    route: fc.constantFrom(...ROUTES),
    home: fc.constantFrom('local' as const, 'peer' as const, undefined),
    isForwarded: fc.boolean(),
  });

  it('asks no region twice, and never sends on what was sent here: loops are impossible', () => {
    fc.assert(fc.property(any, (placement) => {
      const sides = planSides(placement);
      expect(sides.length).toBeGreaterThan(0);
      expect(new Set(sides).size).toBe(sides.length);
      if (placement.isForwarded) expect(sides).toEqual(['local']);
    }));
  });

  it('money is never carried to another region', () => {
    fc.assert(fc.property(any, (placement) => !placement.route.money || planSides(placement).join() === 'local'));
  });

  it('a write goes to its home first, a plain read stays', () => {
    const write = { money: false, prefers: 'home' } as const;
    const read = { money: false, prefers: 'local' } as const;
    expect(planSides({ route: write, home: 'peer', isForwarded: false })).toEqual(['peer', 'local']);
    expect(planSides({ route: read, home: 'peer', isForwarded: false })).toEqual(['local', 'peer']);
    expect(planSides({ route: write, home: undefined, isForwarded: false })).toEqual(['local', 'peer']);
  });
});

describe('learned units', () => {
  it('forgets the least recently used, and never holds more than its limit', () => {
    const learned = new LearnedUnits(2);
    learned.learn('a', 1);
    learned.learn('b', 2);
    expect(learned.unitOf('a')).toBe(1);
    learned.learn('c', 3);
    expect(learned.unitOf('b')).toBeUndefined();
    expect([learned.unitOf('a'), learned.unitOf('c'), learned.size]).toEqual([1, 3, 2]);
  });
});

describe('frame boundaries', () => {
  const frame = fc.record({ payload: fc.uint8Array({ maxLength: 70_000 }), masked: fc.boolean() }).map(encode);

  it('stands at a boundary exactly after whole frames, however the bytes are cut', () => {
    fc.assert(fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(), { maxLength: 6 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames);
      const ends = new Set(frames.map((_, i) => Buffer.concat(frames.slice(0, i + 1)).length).concat(0));
      const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
      const boundary = new FrameBoundary();
      let at = 0;
      for (const place of places) {
        boundary.push(bytes.subarray(at, place));
        at = place;
        expect(boundary.isAtBoundary).toBe(ends.has(at));
      }
    }));
  });

  it('a close frame is one whole frame', () => {
    const boundary = new FrameBoundary();
    boundary.push(closeFrame(1012, 'reconnect'));
    expect(boundary.isAtBoundary).toBe(true);
    expect([...closeFrame(1012, 'ab')]).toEqual([0x88, 4, 0x03, 0xf4, 0x61, 0x62]);
  });
});

describe('the joined API document', () => {
  const info = { title: 'Tandem', version: '1', description: '' };
  it('keeps every /v1 path, shares equal schemas, renames different ones with their refs', () => {
    const merged = mergeOpenApi(info, [
      { service: 'dispatch', document: part('/v1/a', { type: 'string' }) },
      { service: 'location', document: part('/v1/b', { type: 'string' }) },
      { service: 'payment', document: part('/v1/c', { type: 'number' }) },
    ]) as { openapi: string; paths: Record<string, unknown>; components: { schemas: Record<string, unknown> }; tags: unknown[] };
    expect(merged.openapi).toBe('3.1.0');
    expect(Object.keys(merged.paths)).toEqual(['/v1/a', '/v1/b', '/v1/c']);
    expect(merged.components.schemas).toEqual({ Thing: { type: 'string' }, 'payment-Thing': { type: 'number' } });
    expect(merged.paths['/v1/b']).toEqual({ get: { schema: { $ref: '#/components/schemas/Thing' } } });
    expect(merged.paths['/v1/c']).toEqual({ get: { schema: { $ref: '#/components/schemas/payment-Thing' } } });
    expect(merged.tags).toHaveLength(1);
    expect(merged).not.toHaveProperty('x-tandem-missing');
  });

  it('names the service that could not be asked', () => {
    const merged = mergeOpenApi(info, [{ service: 'payment', document: undefined }]);
    expect(merged['x-tandem-missing']).toEqual(['payment']);
  });
});

function encode({ payload, masked }: { payload: Uint8Array; masked: boolean }): Buffer {
  const { length } = payload;
  const mask = masked ? 0x80 : 0;
  const header =
    length < 126 ? Buffer.from([0x82, mask | length])
    : length < 65_536 ? Buffer.from([0x82, mask | 126, length >> 8, length & 0xff])
    : Buffer.concat([Buffer.from([0x82, mask | 127]), bigEndian(length)]);
  return Buffer.concat([header, Buffer.alloc(masked ? 4 : 0, 7), payload]);
}

function bigEndian(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return bytes;
}

const part = (path: string, schema: object) => ({
  openapi: '3.1.0',
  paths: { [path]: { get: { schema: { $ref: '#/components/schemas/Thing' } } }, '/health/live': {} },
  components: { schemas: { Thing: schema } },
  tags: [{ name: 'rider' }],
});
