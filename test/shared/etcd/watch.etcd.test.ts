/** A watched prefix on a real cluster: members killed, frozen, restarted, and history compacted under the watch. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import type { Etcd } from '../../../shared/etcd/etcd.ts';
import { startEtcd } from '../../harness/etcd.ts';
import type { TestEtcd } from '../../harness/etcd.ts';
import { recordedLog } from '../recorded-log.ts';
import type { RecordedLog } from '../recorded-log.ts';
import { until } from '../until.ts';

const RECOVERY_MS = 10_000;

describe('watched prefix', () => {
  let cluster: TestEtcd;
  /** Watches through the first member. */
  let etcd: Etcd;
  /** Writes through the last one. */
  let writer: Etcd;
  let log: RecordedLog;
  let prefix: string;

  beforeAll(async () => {
    cluster = await startEtcd({ members: 3 });
  });

  beforeEach(() => {
    log = recordedLog();
    etcd = openEtcd({ endpoints: cluster.endpoints, log });
    writer = openEtcd({ endpoints: cluster.endpoints.toReversed(), log: recordedLog(), deadlineMs: 8000 });
    prefix = `/watch/${crypto.randomUUID()}/`;
  });

  afterEach(async () => {
    for (const member of cluster.members) member.thaw();
    await Promise.all([etcd.close(), writer.close()]);
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  it('delivers the whole state first, then each change', async () => {
    await writer.put(`${prefix}a`, '1');
    const snapshots: Record<string, string>[] = [];
    const watch = await etcd.watchPrefix(prefix, (snapshot) => snapshots.push(Object.fromEntries(snapshot)));
    expect(snapshots).toEqual([{ [`${prefix}a`]: '1' }]);
    const changes = [() => writer.put(`${prefix}b`, '2'), () => writer.put(`${prefix}b`, '3'), () => writer.delete(`${prefix}a`)];
    for (const [i, change] of changes.entries()) {
      await change();
      await until('the change', 2000, () => snapshots.length === i + 2);
    }
    expect(snapshots.slice(1)).toEqual([
      { [`${prefix}a`]: '1', [`${prefix}b`]: '2' }, { [`${prefix}a`]: '1', [`${prefix}b`]: '3' }, { [`${prefix}b`]: '3' },
    ]);
    watch.stop();
    await writer.put(`${prefix}c`, '4');
    expect((await etcd.get(`${prefix}c`))?.value).toBe('4');
    expect(snapshots).toHaveLength(4);
  });

  it('stops with its signal', async () => {
    const stop = new AbortController();
    let count = 0;
    await etcd.watchPrefix(prefix, () => (count += 1), stop.signal);
    stop.abort();
    await writer.put(`${prefix}a`, '1');
    expect((await etcd.get(`${prefix}a`))?.value).toBe('1');
    expect(count).toBe(1);
  });

  it('sees every key after its member is killed', async () => {
    const watch = await etcd.watchPrefix(prefix, () => undefined);
    const writing = (async () => {
      for (let i = 0; i < 200; i += 1) await writer.put(`${prefix}${i}`, String(i));
    })();
    await until('some keys', 5000, () => watch.snapshot.size > 20);
    await cluster.members[0]?.kill9();
    await writing;
    await until('every key', RECOVERY_MS, () => watch.snapshot.size === 200);
    expect(watch.staleMs()).toBeLessThan(3000);
    await cluster.members[0]?.restart();
  });

  it('sees every key after its member froze, which closes no connection', async () => {
    const watch = await etcd.watchPrefix(prefix, () => undefined);
    cluster.members[0]?.freeze();
    try {
      for (let i = 0; i < 20; i += 1) await writer.put(`${prefix}${i}`, String(i));
      await until('every key', RECOVERY_MS, () => watch.snapshot.size === 20);
    } finally {
      cluster.members[0]?.thaw();
    }
  });

  it('sees every key after the majority was gone and came back, and knew meanwhile that it was old', async () => {
    const watch = await etcd.watchPrefix(prefix, () => undefined);
    cluster.members[1]?.freeze();
    cluster.members[2]?.freeze();
    await until('the view says that it is old', RECOVERY_MS, () => watch.staleMs() > 3500);
    cluster.members[1]?.thaw();
    cluster.members[2]?.thaw();
    await until('a write goes through', RECOVERY_MS, async () => {
      await writer.put(`${prefix}x`, 'y');
      return true;
    });
    await until('the key', RECOVERY_MS, () => watch.snapshot.get(`${prefix}x`) === 'y');
    expect(watch.staleMs()).toBeLessThan(3000);
  });

  it('sees the newest state after all members restarted and the history it missed was compacted', async () => {
    await writer.put(`${prefix}gone`, '1');
    const watch = await etcd.watchPrefix(prefix, () => undefined);
    cluster.members[0]?.freeze();
    await writer.delete(`${prefix}gone`);
    for (let i = 0; i < 20; i += 1) await writer.put(`${prefix}kept`, String(i));
    await compact(cluster.endpoints[2] as string);
    cluster.members[0]?.thaw();
    await cluster.members[0]?.kill9();
    await cluster.members[0]?.restart();
    await until('the newest state', RECOVERY_MS, () => watch.snapshot.get(`${prefix}kept`) === '19' && !watch.snapshot.has(`${prefix}gone`));
  });

  it('logs an outage once, not at each attempt', async () => {
    const watch = await etcd.watchPrefix(prefix, () => undefined);
    await cluster.kill9();
    await until('old', RECOVERY_MS, () => watch.staleMs() > 4000);
    await cluster.restart();
    await writer.put(`${prefix}x`, 'y');
    await until('the key', RECOVERY_MS, () => watch.snapshot.get(`${prefix}x`) === 'y');
    // One line for the broken watch, one for the list that failed, one for each member.
    expect(log.loud().length).toBeLessThanOrEqual(8);
  });
});

async function compact(endpoint: string): Promise<void> {
  const { Etcd3 } = await import('etcd3');
  const raw = new Etcd3({ hosts: endpoint });
  const { header } = await raw.kv.range({ key: Buffer.from('/any') });
  await raw.kv.compact({ revision: header.revision, physical: true });
  raw.close();
}
