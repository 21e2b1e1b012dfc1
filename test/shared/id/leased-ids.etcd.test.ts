/**
 * Ids against a real etcd: races, restarts, lost leases, a late holder, lost answers, an outage longer than the window.
 * Only clocks and faults are made up.
 */
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import type { Etcd } from '../../../shared/etcd/etcd.ts';
import { NODE_COUNT, unpackId } from '../../../shared/id/id-layout.ts';
import { LOW_WINDOW_MS, startLeasedIds } from '../../../shared/id/leased-ids.ts';
import type { LeasedIds, LeasedIdsOptions } from '../../../shared/id/leased-ids.ts';
import { WINDOW_MS } from '../../../shared/id/node-number.ts';
import type { NodeStore } from '../../../shared/id/node-number.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { isTandemError, TandemError } from '../../../shared/kernel/tandem-error.ts';
import { startEtcd } from '../../harness/etcd.ts';
import type { TestEtcd } from '../../harness/etcd.ts';

const START_MS = Date.UTC(2026, 5, 1);
const HOUR_MS = 3_600_000;
const noop = (): void => {};
const QUIET: LogSink = { debug: noop, info: noop, warn: noop, error: noop, fatal: noop };

let server: TestEtcd;
let etcd: Etcd;
let region: string;
let regionCount = 0;

beforeAll(async () => {
  server = await startEtcd();
  etcd = openEtcd({ endpoints: server.endpoints, log: QUIET, deadlineMs: 500 });
});
afterAll(async () => {
  await etcd?.close();
  await server?.stop();
});
beforeEach(() => {
  regionCount += 1;
  region = `region-${regionCount}`;
});

async function start(options: Partial<LeasedIdsOptions> = {}): Promise<LeasedIds> {
  const ids = await startLeasedIds({ etcd, region, origin: 1, owner: 'test', log: QUIET, ...options });
  onTestFinished(() => ids.stop());
  return ids;
}

/** Leaves node 0 as the only number to be had, whoever asks. */
async function occupyAllButNode0(): Promise<void> {
  await Promise.all(Array.from({ length: NODE_COUNT - 1 }, (_, at) => etcd.put(`/tandem/nodes/${region}/${at + 1}`, 'taken')));
}

function issue(ids: LeasedIds, count: number): bigint[] {
  return Array.from({ length: count }, () => ids.next());
}

function leasedNumbers(): Promise<string[]> {
  return etcd.getPrefix(`/tandem/nodes/${region}/`).then((entries) => [...entries.keys()]);
}

/** etcd as a process sees it whose leases are short, and end without its being told where `deaf`. */
function withLeases(options: { ttlS?: number; deaf?: true }, granted: { revoke(): Promise<void> }[] = []): NodeStore {
  return withFault({
    lease: async (ttlS) => {
      const lease = await etcd.lease(options.ttlS ?? ttlS);
      granted.push(lease);
      return options.deaf ? { id: lease.id, revoke: () => lease.revoke(), onLost: noop } : lease;
    },
  });
}

function withFault(fault: Partial<NodeStore>): NodeStore {
  return {
    get: (key) => etcd.get(key),
    getPrefix: (prefix) => etcd.getPrefix(prefix),
    compareAndSwap: (key, expected, value, options) => etcd.compareAndSwap(key, expected, value, options),
    lease: (ttlS) => etcd.lease(ttlS),
    ...fault,
  };
}

test('processes that start at once get different numbers, and their ids never meet', async () => {
  const all = await Promise.all(Array.from({ length: 12 }, () => start({ nowMs: () => START_MS })));
  expect(new Set(all.map((ids) => ids.node)).size).toBe(12);
  const issued = all.flatMap((ids) => issue(ids, 100));
  expect(new Set(issued).size).toBe(1_200);
});

test('a lease names its owner and the schema it knows, and a stop gives the number back at once', async () => {
  const ids = await start({ owner: 'dispatch-east-1', schema: 31 });
  const key = `/tandem/nodes/${region}/${ids.node}`;
  expect(JSON.parse((await etcd.get(key))?.value ?? '{}')).toMatchObject({ owner: 'dispatch-east-1', schema: 31 });
  await ids.stop();
  expect(await etcd.get(key)).toBeNull();
  expect(() => ids.next()).toThrow(expect.toSatisfy((e) => isTandemError(e, 'not-ready')));
});

test('with all 64 numbers leased a start fails, and leaves nothing leased', async () => {
  await occupyAllButNode0();
  await start();
  await expect(start()).rejects.toEqual(expect.toSatisfy((e) => isTandemError(e, 'id-node-unavailable')));
  expect(await leasedNumbers()).toHaveLength(NODE_COUNT);
});

test('two processes race for the last number: one has it', async () => {
  await occupyAllButNode0();
  const outcomes = await Promise.allSettled([start(), start(), start()]);
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
});

test('the number whose floor lies furthest in the past is preferred', async () => {
  const first = await start({ nowMs: () => START_MS });
  first.next();
  await first.stop();
  const second = await start({ nowMs: () => START_MS });
  expect(second.node).not.toBe(first.node);
});

test('restarts within one millisecond repeat nothing, and a clean stop keeps ids from running into the future', async () => {
  await occupyAllButNode0();
  const issued: bigint[] = [];
  for (let restart = 0; restart < 5; restart += 1) {
    const ids = await start({ nowMs: () => START_MS });
    issued.push(...issue(ids, 3));
    await ids.stop();
  }
  expect(issued).toEqual([...new Set(issued)].toSorted((a, b) => (a < b ? -1 : 1)));
  expect(unpackId(issued.at(-1) as bigint)).toMatchObject({ ms: START_MS + 4, node: 0 });
});

test('after a crash, with the clock an hour back, ids still go up from the last', async () => {
  await occupyAllButNode0();
  const granted: { revoke(): Promise<void> }[] = [];
  const before = await start({ etcd: withLeases({ deaf: true }, granted), nowMs: () => START_MS });
  const last = issue(before, 10).at(-1) as bigint;
  // As etcd does when the lease of a crashed process runs out.
  await granted[0]?.revoke();
  const after = await start({ nowMs: () => START_MS - HOUR_MS });
  expect(after.node).toBe(before.node);
  expect(after.next() > last).toBe(true);
});

test('a holder that learns late of its lost lease repeats nothing, and takes another number', async () => {
  await occupyAllButNode0();
  const granted: { revoke(): Promise<void> }[] = [];
  let lateMs = START_MS;
  const late = await start({ etcd: withLeases({ deaf: true }, granted), nowMs: () => lateMs });
  await granted[0]?.revoke();
  const present = await start({ nowMs: () => START_MS });
  expect([late.node, present.node]).toEqual([0, 0]);

  const issued = [...issue(late, 50), ...issue(present, 50), ...issue(late, 50), ...issue(present, 50)];
  await etcd.delete(`/tandem/nodes/${region}/9`);
  lateMs += WINDOW_MS - LOW_WINDOW_MS + 1;
  issued.push(late.next());
  await vi.waitFor(() => expect(late.node).toBe(9), { timeout: 5_000 });
  issued.push(...issue(late, 50), ...issue(present, 50));
  expect(new Set(issued).size).toBe(issued.length);
});

test('a clock that leaps past the window is followed by the window at once', async () => {
  let wallMs = START_MS;
  const ids = await start({ nowMs: () => wallMs });
  const first = ids.next();
  wallMs += HOUR_MS;
  expect(() => ids.next()).toThrow(expect.toSatisfy((e) => isTandemError(e, 'id-window-exhausted')));
  await vi.waitFor(() => expect(ids.next() > first).toBe(true), { timeout: 5_000 });
  expect(ids.remainingMs).toBeGreaterThanOrEqual(WINDOW_MS - 1);
  wallMs -= HOUR_MS;
  expect(ids.next() > first).toBe(true);
});

test('an extension whose answer is lost is found done, not taken for another\'s', async () => {
  let wallMs = START_MS;
  let answersToLose = 0;
  const faulty = withFault({
    compareAndSwap: async (key, expected, value, options) => {
      const swapped = await etcd.compareAndSwap(key, expected, value, options);
      if (answersToLose === 0) return swapped;
      answersToLose -= 1;
      throw new TandemError('etcd-unavailable', 'the answer was lost');
    },
  });
  const warnings: string[] = [];
  const log = { ...QUIET, warn: (_: object, message: string): void => void warnings.push(message) };
  const ids = await start({ etcd: faulty, nowMs: () => wallMs, log });
  const { node } = ids;
  answersToLose = 1;
  wallMs += 45_000;
  ids.next();
  await vi.waitFor(() => expect(ids.remainingMs).toBeGreaterThanOrEqual(WINDOW_MS), { timeout: 5_000 });
  expect(ids.node).toBe(node);
  expect(warnings).toEqual(['ids could not be extended']);
});

test('an etcd outage longer than the window: ids go on, stop, and resume by themselves', async () => {
  let wallMs = START_MS;
  const lost = Promise.withResolvers<void>();
  const warn = (_: object, message: string): void => {
    if (message.startsWith('lost the lease')) lost.resolve();
  };
  const ids = await start({ etcd: withLeases({ ttlS: 2 }), nowMs: () => wallMs, log: { ...QUIET, warn } });
  const issued = issue(ids, 10);
  server.members[0]?.freeze();
  onTestFinished(() => server.members[0]?.thaw());

  wallMs += WINDOW_MS - 1;
  issued.push(...issue(ids, 10));
  wallMs += 1;
  expect(() => ids.next()).toThrow(expect.toSatisfy((e) => isTandemError(e, 'id-window-exhausted') && e.retryable));

  await lost.promise;
  server.members[0]?.thaw();
  await vi.waitFor(() => issued.push(ids.next()), { timeout: 10_000 });
  issued.push(...issue(ids, 10));
  expect(new Set(issued).size).toBe(issued.length);
  expect(await leasedNumbers()).toContain(`/tandem/nodes/${region}/${ids.node}`);
});

test('a start without etcd fails with a reason', async () => {
  const nowhere = openEtcd({ endpoints: ['127.0.0.1:1'], log: QUIET, deadlineMs: 300 });
  onTestFinished(() => nowhere.close());
  await expect(start({ etcd: nowhere })).rejects.toEqual(expect.toSatisfy((e) => isTandemError(e, 'etcd-unavailable')));
});
