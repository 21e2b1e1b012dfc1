/** Unit homes and policies as processes see them, from a real etcd. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import type { Etcd } from '../../../shared/etcd/etcd.ts';
import { watchPolicy } from '../../../shared/etcd/policy.ts';
import { formatUnitHome, seedUnits, unitKey, watchUnits } from '../../../shared/etcd/units.ts';
import { Regions } from '../../../shared/kernel/region.ts';
import { startEtcd } from '../../harness/etcd.ts';
import type { TestEtcd } from '../../harness/etcd.ts';
import { recordedLog } from '../recorded-log.ts';
import { until } from '../until.ts';

const REGIONS = Regions.parse('east=1,west=2');
let server: TestEtcd;
let etcd: Etcd;

beforeAll(async () => {
  server = await startEtcd();
  etcd = openEtcd({ endpoints: server.endpoints, log: recordedLog() });
});

afterAll(async () => {
  await etcd?.close();
  await server?.stop();
});

describe('units', () => {
  it('are not known before they are seeded', async () => {
    await expect(watchUnits(etcd, { region: 'east', log: recordedLog() })).rejects.toMatchObject({ code: 'not-ready' });
  });

  it('seeding twice at once gives each unit one home and moves none that has one', async () => {
    await etcd.put(unitKey(4), formatUnitHome({ home: 'west', epoch: 7 }));
    await Promise.all([seedUnits(etcd, REGIONS), seedUnits(etcd, REGIONS)]);
    const units = await watchUnits(etcd, { region: 'east', log: recordedLog() });
    expect(units.countByHome()).toEqual({ east: 31, west: 33 });
    expect([units.homeOf(0), units.homeOf(1), units.homeOf(4)]).toEqual([
      { home: 'east', epoch: 1 }, { home: 'west', epoch: 1 }, { home: 'west', epoch: 7 },
    ]);
    units.stop();
  });

  it('a moved unit is seen, and a write in the old home refused with where it went', async () => {
    await seedUnits(etcd, REGIONS);
    const units = await watchUnits(etcd, { region: 'east', log: recordedLog() });
    let changes = 0;
    units.onChange(() => (changes += 1));
    expect(units.isHome(10)).toBe(true);
    units.assertHome(10);
    await etcd.put(unitKey(10), formatUnitHome({ home: 'west', epoch: 2 }));
    await until('the move', 2000, () => !units.isHome(10));
    expect(() => units.assertHome(10)).toThrow(expect.objectContaining({ code: 'not-home', details: { unit: 10, home: 'west', epoch: 2 } }));
    expect(changes).toBe(1);
    units.stop();
  });

  it('an epoch that goes back, a bad value and a deleted key all keep the last good home', async () => {
    await seedUnits(etcd, REGIONS);
    const log = recordedLog();
    const units = await watchUnits(etcd, { region: 'east', log });
    const before = units.homeOf(12);
    const bad = [formatUnitHome({ home: 'west', epoch: 0 }), 'no json', formatUnitHome({ home: 'nowhere', epoch: before.epoch }), '{"epoch": 9}', 'null'];
    for (const [i, text] of bad.entries()) {
      await etcd.put(unitKey(12), text);
      await until('the complaint', 2000, () => log.loud().length === i + 1);
    }
    await etcd.delete(unitKey(12));
    await etcd.put(unitKey(14), formatUnitHome({ home: 'west', epoch: 9 }));
    await until('the later change', 2000, () => units.homeOf(14).epoch === 9);
    expect(units.homeOf(12)).toEqual(before);
    units.stop();
  });
});

describe('policy', () => {
  it('is the fallback until set, follows changes, and passes over bad values and namesakes', async () => {
    const log = recordedLog();
    const policy = await watchPolicy(etcd, 'test', parse, { limit: 1 }, { log });
    expect(policy.current()).toEqual({ limit: 1 });
    await etcd.put('/tandem/config/test-other', '{"limit": 99}');
    await etcd.put('/tandem/config/test', '{"limit": 2}');
    await until('the change', 2000, () => policy.current().limit === 2);
    await etcd.put('/tandem/config/test', '{"limit": "many"}');
    await until('the complaint', 2000, () => log.loud().length === 1);
    expect(policy.current()).toEqual({ limit: 2 });
    await etcd.delete('/tandem/config/test');
    await until('the fallback', 2000, () => policy.current().limit === 1);
    policy.stop();
  });
});

function parse(raw: unknown): { limit: number } {
  const { limit } = raw as { limit?: unknown };
  if (typeof limit !== 'number') throw new TypeError('limit is no number');
  return { limit };
}
