/** The real processes: their lock, their HTTP, what they cost at rest, what they refuse. How they die is crash.twin.test.ts. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep } from '../../shared/kernel/deadline.ts';
import { startEtcd } from '../harness/etcd.ts';
import type { TestEtcd } from '../harness/etcd.ts';
import { engines } from '../harness/mysql.ts';
import { startProcesses } from './processes.ts';
import type { CdcProcess, CdcProcesses } from './processes.ts';
import { SIDES, startTwin, until } from './twin.ts';
import type { Twin } from './twin.ts';

const CLOCK_TICKS_PER_S = 100;

const isReady = async (each: CdcProcess): Promise<boolean> => (await fetch(`${each.url}/health/ready`).catch(() => undefined))?.ok ?? false;

/** User and system time of a process so far. */
function cpuMs({ pid }: CdcProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_S;
}

function residentMib({ pid }: CdcProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

describe.each(await engines())('the processes on %s', (engine) => {
  let twin: Twin;
  let etcd: TestEtcd;
  let processes: CdcProcesses;

  beforeAll(async () => {
    [twin, etcd] = await Promise.all([startTwin(engine), startEtcd()]);
    processes = await startProcesses(twin, etcd);
    await Promise.all(processes.all.map((each) => until(`${each.part} of ${each.side}`, () => isReady(each))));
  });
  afterAll(async () => {
    await processes?.[Symbol.asyncDispose]();
    await Promise.all([twin?.[Symbol.asyncDispose](), etcd?.stop()]);
  });

  it('capture holds the lock of its region while it works', async () => {
    expect(await lockHolder(twin, etcd)).toBe('capture-east-1');
  });

  it('apply answers with its lag, sample by sample, and shows it as a metric', async () => {
    await twin.settle();
    const { url } = processes.of('apply', 'west');
    const { samples } = (await (await fetch(`${url}/lag?sinceMs=0`)).json()) as { samples: { atMs: number; lagMs: number; partition: number }[] };
    expect(new Set(samples.map((sample) => sample.partition)).size).toBe(4);
    expect(samples.every((sample) => sample.lagMs >= -5 && sample.atMs > 1.7e12)).toBe(true);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const name of ['tandem_apply_lag_ms', 'tandem_apply_rows_total', 'tandem_apply_offset_gap']) expect(metrics).toContain(name);
    expect(await (await fetch(`${processes.of('capture', 'east').url}/metrics`)).text()).toContain('tandem_capture_rows_total');
  });

  it('at rest they cost little and keep up', { timeout: 120_000 }, async () => {
    const sinceMs = Date.now();
    const before = processes.all.map(cpuMs);
    await sleep(10_000);
    const figures = processes.all.map((each, i) => `${each.part}-${each.side} ${((cpuMs(each) - (before[i] ?? 0)) / 100).toFixed(1)} % cpu, ${residentMib(each).toFixed(0)} MiB`);
    const lags: number[] = [];
    for (const side of SIDES) {
      const { samples } = (await (await fetch(`${processes.of('apply', side).url}/lag?sinceMs=${sinceMs}`)).json()) as { samples: { lagMs: number }[] };
      lags.push(...samples.map((sample) => sample.lagMs));
    }
    lags.sort((a, b) => a - b);
    const at = (share: number): number => lags[Math.floor(lags.length * share)] ?? Number.NaN;
    console.log(`${engine} at rest: ${figures.join('; ')}; lag p50 ${at(0.5)} p99 ${at(0.99)} max ${lags.at(-1)} ms of ${lags.length} samples`);
    expect(lags.length).toBeGreaterThan(100);
    for (const each of processes.all) expect(residentMib(each)).toBeLessThan(256);
  });

  it('binlog_row_image=MINIMAL is refused by name', async () => {
    const capture = processes.of('capture', 'east');
    await twin.east.sql.execute("SET GLOBAL binlog_row_image = 'MINIMAL'");
    try {
      await capture.kill9();
      capture.start();
      const log = `${twin.east.mysql.dir}/capture.log`;
      await until('the refusal', async () => readFileSync(log, 'utf8').includes('binlog_row_image is MINIMAL, must be FULL'));
      expect(await isReady(capture)).toBe(false);
    } finally {
      await twin.east.sql.execute("SET GLOBAL binlog_row_image = 'FULL'");
    }
  });
});

async function lockHolder(twin: Twin, etcd: TestEtcd): Promise<string | undefined> {
  const { openEtcd } = await import('../../shared/etcd/etcd.ts');
  const client = openEtcd({ endpoints: etcd.endpoints, log: twin.east.log });
  try {
    return (await client.get('/tandem/locks/capture-east'))?.value;
  } finally {
    await client.close();
  }
}
