/** Whatever the order and however often changes arrive, both regions end with the same rows. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, takesRemote } from '../../../cdc/resolve/decide.ts';
import type { Candidate } from '../../../cdc/resolve/decide.ts';
import { compareVersions, packHlc } from '../../../shared/clock/hlc.ts';
import type { Hlc, Version } from '../../../shared/clock/hlc.ts';

interface Row { readonly version: Version; readonly value: number }
interface Sent extends Candidate { readonly id: number; readonly value: number }

/** A region's rows and tombstones, and the two ways they change: as the triggers do it, and as apply does it. */
class Region {
  readonly rows = new Map<number, Row>();
  readonly tombstones = new Map<number, Version>();
  readonly sent: Sent[] = [];
  readonly origin: number;

  constructor(origin: number) {
    this.origin = origin;
  }

  write(id: number, kind: 'put' | 'delete', value: number, clockMs: number): void {
    const old = this.rows.get(id);
    if (kind === 'delete' && old === undefined) return;
    const floor = [packHlc(clockMs, 0), next(old?.version), old === undefined ? next(this.tombstones.get(id)) : (0n as Hlc)];
    const version = { hlc: floor.reduce((a, b) => (a > b ? a : b)), origin: this.origin };
    const op = kind === 'delete' ? 'd' : old === undefined ? 'c' : 'u';
    this.#put(id, op, version, value);
    this.sent.push({ op, id, version, beforeVersion: old?.version ?? null, value });
  }

  receive(change: Sent): void {
    const decision = decide(change, this.rows.get(change.id)?.version ?? null, this.tombstones.get(change.id) ?? null);
    if (takesRemote(decision)) this.#put(change.id, change.op, change.version, change.value);
  }

  #put(id: number, op: Sent['op'], version: Version, value: number): void {
    if (op !== 'd') {
      this.rows.set(id, { version, value });
      return;
    }
    this.rows.delete(id);
    this.tombstones.set(id, version);
  }

  get standing(): string[] {
    return [...this.rows].map(([id, { version, value }]) => `${id}=${value}@${version.hlc}/${version.origin}`).toSorted();
  }
}

const next = (version: Version | undefined): Hlc => ((version?.hlc ?? -1n) + 1n) as Hlc;

const v = (ms: number, origin: number): Version => ({ hlc: packHlc(ms, 0), origin });

const step = fc.record({
  region: fc.constantFrom(0, 1),
  act: fc.oneof({ weight: 5, arbitrary: fc.constantFrom('put', 'delete') }, { weight: 3, arbitrary: fc.constant('deliver') }),
  id: fc.integer({ min: 1, max: 3 }),
  value: fc.integer({ min: 0, max: 99 }),
  // Clocks that stand still, jump and step back.
  clockMs: fc.integer({ min: 1, max: 12 }),
});

function play(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]): [Region, Region] {
  const regions: [Region, Region] = [new Region(1), new Region(2)];
  const delivered = [0, 0];
  for (const { region, act, id, value, clockMs } of steps) {
    const here = regions[region] as Region;
    if (act !== 'deliver') here.write(id, act as 'put' | 'delete', value, clockMs);
    else {
      const change = (regions[1 - region] as Region).sent[delivered[region] ?? 0];
      if (change === undefined) continue;
      here.receive(change);
      delivered[region] = (delivered[region] ?? 0) + 1;
    }
  }
  for (const at of [0, 1]) for (const change of (regions[1 - at] as Region).sent.slice(delivered[at])) (regions[at] as Region).receive(change);
  return regions;
}

describe('resolve', () => {
  it('two regions that write and read each other at any pace end with the same rows', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [east, west] = play(steps);
      expect(east.standing).toEqual(west.standing);
    }), { numRuns: 2000 });
  });

  it('any order and any number of repetitions of a history give the same rows: commutative, associative, idempotent', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (steps, random) => {
      const [east, west] = play(steps);
      const history = [...east.sent, ...west.sent].flatMap((change) => ((random.next().value ?? 0) % 3 === 0 ? [change, change] : [change]));
      const shuffled = history.map((change) => ({ change, at: random.next().value ?? 0 })).toSorted((a, b) => a.at - b.at);
      const third = new Region(3);
      for (const { change } of shuffled) third.receive(change);
      expect(third.standing).toEqual(east.standing);
    }), { numRuns: 2000 });
  });

  it('what stands at the end is the highest version of each row', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const [east, west] = play(steps);
      for (const [id, { version }] of east.rows) {
        const highest = [...east.sent, ...west.sent].filter((c) => c.id === id).map((c) => c.version).toSorted(compareVersions).at(-1);
        expect(version).toEqual(highest);
      }
    }), { numRuns: 500 });
  });

  it('a conflict is seen by both regions and each names the same winner', () => {
    const base = v(1, 1);
    const mine = { op: 'u' as const, version: v(5, 1), beforeVersion: base };
    const theirs = { op: 'u' as const, version: v(5, 2), beforeVersion: base };
    expect(decide(theirs, mine.version, null)).toEqual({ kind: 'conflict', conflict: 'update-update', winner: 'remote' });
    expect(decide(mine, theirs.version, null)).toEqual({ kind: 'conflict', conflict: 'update-update', winner: 'local' });
  });
});
