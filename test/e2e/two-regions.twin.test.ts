/**
 * The whole of Tandem as a stranger meets it: one real deployment, brought up, driven, looked at, broken, killed, recovered, taken down, by
 * the commands of the README alone.
 *
 * The tests share that deployment and stand in the order in which a person would do these things.
 */
import { symlink, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { caughtUp } from '../../chaos/catch-up.ts';
import { openDatabases } from '../../deploy/local/run-replay.ts';
import { REPO_ROOT } from '../../deploy/local/state-dir.ts';
import type { Summary } from '../../deploy/local/summary.ts';
import type { Database } from '../../shared/mysql/database.ts';
import { WatchedBrowser } from './browser.ts';
import { Deployment } from './deployment.ts';
import type { Said } from './deployment.ts';
import { Shell } from './shell.ts';
import { shortTrips } from './short-trips.ts';
import { patternOf, readTour } from './tour.ts';

const RIDES = 30;
/** Deadlines of a loaded machine; on an idle one each step takes a fraction. */
const UP_DEADLINE_MS = 240_000;
const COMMAND_DEADLINE_MS = 90_000;
const CHAOS_DEADLINE_MS = 300_000;
const BLOCK_DEADLINE_MS = 60_000;
const PAGE_DEADLINE_MS = 30_000;
const REGIONS = ['east', 'west'] as const;

const PATHS: Readonly<Record<string, string>> = {
  '/v1/quotes': 'post', '/v1/rides': 'post', '/v1/rides/{id}': 'get', '/v1/rides/{id}/events': 'get', '/v1/rides/{id}/cancel': 'post',
  '/v1/rides/{id}/rating': 'post', '/v1/rides/{id}/tip': 'post', '/v1/rides/{id}/payments': 'post', '/v1/driver/shift': 'put',
  '/v1/driver/stream': 'get', '/v1/driver/offers/{id}/accept': 'post', '/v1/driver/offers/{id}/decline': 'post',
  '/v1/driver/stops/{id}/arrive': 'post', '/v1/driver/stops/{id}/board': 'post', '/v1/driver/stops/{id}/alight': 'post',
};

interface Status {
  readonly regions: Readonly<Record<string, { state: string; epoch: number; units: number; lagMs: number; endpoints: Record<string, unknown> }>>;
  readonly witness: unknown;
  readonly processes: readonly { name: string; region: string; pid: number; healthy: boolean }[];
}

describe('a deployment of two regions', () => {
  let deployment: Deployment;
  let trips: string;
  let first: Said;

  beforeAll(async () => {
    deployment = await Deployment.make();
    trips = path.join(deployment.dir, 'trips.csv');
    await writeFile(trips, shortTrips(60));
    first = await deployment.tandem(['up', '--detach', '--rides', String(RIDES), '--speed', '40', '--trips', trips, '--json'], { deadlineMs: UP_DEADLINE_MS });
  }, UP_DEADLINE_MS + 10_000);

  afterAll(async () => deployment?.end(), COMMAND_DEADLINE_MS);

  test('comes up with one command, carries riders through both regions, and sums up', () => {
    expect(first.status, first.err).toBe(0);
    const summary = lastObject<Summary>(first);
    expect(Object.keys(summary)).toEqual(['trips', 'replication', 'diff', 'ids', 'wallSeconds']);
    expect(summary).toEqual({
      trips: { source: expect.any(String) as string, requested: RIDES, completed: expect.any(Number) as number, rejected: expect.any(Number) as number,
        byRegion: { east: expect.any(Number) as number, west: expect.any(Number) as number } },
      replication: { rowsApplied: expect.any(Number) as number, lagMsP50: expect.any(Number) as number, lagMsP99: expect.any(Number) as number, conflicts: expect.any(Number) as number },
      diff: { rowsCompared: expect.any(Number) as number, rowsDifferent: 0 },
      ids: { issued: expect.any(Number) as number, duplicates: 0 },
      wallSeconds: expect.any(Number) as number,
    });
    const { trips: { completed, rejected, byRegion }, replication, diff } = summary;
    expect(completed + rejected).toBeGreaterThanOrEqual(RIDES * 0.95);
    expect(completed).toBeGreaterThan(RIDES / 4);
    expect(Math.min(byRegion['east'] as number, byRegion['west'] as number)).toBeGreaterThan(0);
    expect(replication.rowsApplied).toBeGreaterThan(RIDES);
    expect(diff.rowsCompared).toBeGreaterThan(RIDES);
  });

  test('shows its regions, its witness and every process', async () => {
    const status = await statusOf(deployment);
    expect(Object.keys(status.regions)).toEqual([...REGIONS]);
    for (const region of REGIONS) {
      expect(status.regions[region]).toEqual({
        state: expect.any(String) as string, epoch: 1, units: 32, lagMs: expect.any(Number) as number,
        endpoints: {
          router: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string, dashboard: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
          mysql: { host: '127.0.0.1', port: expect.any(Number) as number, user: 'tandem_operator', password: expect.any(String) as string, database: 'tandem' },
          redis: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string, kafka: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
          cdc: { capture: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string, apply: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string },
        },
      });
    }
    expect(status.witness).toMatchObject({ healthy: true });
    expect(status.processes.length).toBe(27);
    for (const process of status.processes) {
      expect(process).toMatchObject({ name: expect.any(String) as string, region: expect.stringMatching(/^(east|west|witness)$/) as string, pid: expect.any(Number) as number, healthy: true });
    }
  }, COMMAND_DEADLINE_MS * 2);

  test('a second up finds it there, and starts nothing', async () => {
    const before = pidsOf(await statusOf(deployment));
    const again = await deployment.tandem(['up', '--detach', '--rides', '0'], { deadlineMs: UP_DEADLINE_MS });
    expect(again, again.err).toMatchObject({ status: 0, err: expect.stringContaining('reusing it') as string });
    expect(pidsOf(await statusOf(deployment))).toEqual(before);
  }, UP_DEADLINE_MS + COMMAND_DEADLINE_MS);

  test('describes its API in OpenAPI 3.1, and a browser shows it', async () => {
    await using browser = await WatchedBrowser.launch();
    for (const { router } of await endpointsOf(deployment)) {
      const document = (await (await fetch(`${router}/openapi.json`, { signal: AbortSignal.timeout(PAGE_DEADLINE_MS) })).json()) as { openapi: string; paths: Record<string, object> };
      expect(document.openapi).toMatch(/^3\.1\./);
      expect(Object.entries(PATHS).filter(([name, method]) => !(method in (document.paths[name] ?? {})))).toEqual([]);
      const page = await browser.open(`${router}/docs`, { deadlineMs: PAGE_DEADLINE_MS });
      await page.locator('.opblock-summary-path', { hasText: '/v1/quotes' }).first().waitFor();
      expect(await page.locator('.opblock').count()).toBeGreaterThanOrEqual(Object.keys(PATHS).length);
    }
    expect(browser.complaints).toEqual([]);
  }, PAGE_DEADLINE_MS * 6);

  test('each region shows live figures of both on its page', async () => {
    await using browser = await WatchedBrowser.launch();
    for (const { dashboard } of await endpointsOf(deployment)) {
      const page = await browser.open(dashboard, { deadlineMs: PAGE_DEADLINE_MS });
      for (const region of REGIONS) await page.locator(`[data-region="${region}"] .score b`, { hasText: /^\d{1,3}$/ }).waitFor();
      expect(await page.locator('#units li').count()).toBe(64);
      expect(await page.locator('#targets [data-target]').count()).toBe(18);
      await page.locator('#lag-table tbody tr', { hasText: /west → east.*\d (ms|s)/ }).waitFor();
      await page.locator('#lag-table tbody tr', { hasText: /east → west.*\d (ms|s)/ }).waitFor();
      // Live: the page's own figures move on without being loaded again.
      const shown = await page.locator('body').innerText();
      await expect.poll(() => page.locator('body').innerText(), { timeout: PAGE_DEADLINE_MS }).not.toBe(shown);
    }
    expect(browser.complaints).toEqual([]);
  }, PAGE_DEADLINE_MS * 6);

  test('the tour in the README works as typed, and answers as the README says', async () => {
    const readme = await readFile(path.join(REPO_ROOT, 'README.md'), 'utf8');
    const desk = path.join(deployment.dir, 'desk');
    await mkdir(desk);
    for (const name of ['tandem', 'node_modules']) await symlink(path.join(REPO_ROOT, name), path.join(desk, name));
    const [east, west] = await endpointsOf(deployment);
    await using shell = new Shell({ dir: desk, env: { ...deployment.env, EAST: east?.router, WEST: west?.router } });
    await withDatabases(deployment, async (databases) => {
      for (const { line, command, answer } of readTour(readme)) {
        const said = await shell.type(command, { deadlineMs: BLOCK_DEADLINE_MS });
        if (answer !== undefined) expect(said.trim(), `README.md:${line}\n${command}`).toMatch(patternOf(answer));
        // A reader needs longer than replication to come to the next command.
        await caughtUp(databases, { deadlineMs: COMMAND_DEADLINE_MS });
      }
    });
  }, BLOCK_DEADLINE_MS * 8);

  test('loses and doubles nothing while capture and apply of a region are away', async () => {
    const chaos = await deployment.tandem(['chaos', '--region=east', '--target=cdc', '--rides', '24', '--trips', trips, '--json'], { deadlineMs: CHAOS_DEADLINE_MS });
    expect(chaos.status, chaos.err).toBe(0);
    expect(lastObject(chaos)).toMatchObject({ passed: true, violations: [], diff: { rowsDifferent: 0 }, ids: { duplicates: 0 } });
  }, CHAOS_DEADLINE_MS + 10_000);

  test('comes back with all its rides after kill -9 of every process, the supervisor included', async () => {
    const before = await withDatabases(deployment, async (databases) => {
      await caughtUp(databases, { deadlineMs: COMMAND_DEADLINE_MS });
      return ridesIn(databases);
    });
    expect(before.get('east')?.length).toBeGreaterThan(RIDES);
    expect(await deployment.kill9()).toBeGreaterThanOrEqual(28);
    const again = await deployment.tandem(['up', '--detach', '--rides', '0'], { deadlineMs: UP_DEADLINE_MS });
    expect(again.status, again.err).toBe(0);
    await withDatabases(deployment, async (databases) => {
      await caughtUp(databases, { deadlineMs: COMMAND_DEADLINE_MS });
      expect(await ridesIn(databases)).toEqual(before);
    });
    const diff = await deployment.tandem(['diff', '--json'], { deadlineMs: COMMAND_DEADLINE_MS });
    expect(diff.status, diff.out + diff.err).toBe(0);
    expect(lastObject(diff)).toMatchObject({ rowsDifferent: 0 });
  }, UP_DEADLINE_MS + COMMAND_DEADLINE_MS * 4);

  test('goes down and leaves no process', async () => {
    const down = await deployment.tandem(['down'], { deadlineMs: COMMAND_DEADLINE_MS });
    expect(down, down.err).toMatchObject({ status: 0, out: expect.stringMatching(/^down: \d+ processes stopped, none left$/m) as string });
    expect(deployment.processes()).toEqual([]);
  }, COMMAND_DEADLINE_MS + 10_000);
});

function lastObject<T>({ out }: Said): T {
  return JSON.parse(out.trim().split('\n').at(-1) as string) as T;
}

async function statusOf(deployment: Deployment): Promise<Status> {
  const said = await deployment.tandem(['status', '--json'], { deadlineMs: COMMAND_DEADLINE_MS });
  expect(said.status, said.err).toBe(0);
  return lastObject<Status>(said);
}

function pidsOf({ processes }: Status): Record<string, number> {
  return Object.fromEntries(processes.map(({ name, pid }) => [name, pid]));
}

/** East first. */
async function endpointsOf(deployment: Deployment): Promise<readonly { router: string; dashboard: string }[]> {
  const { regions } = await deployment.topology();
  return REGIONS.flatMap((region) => regions[region]?.endpoints ?? []);
}

async function withDatabases<T>(deployment: Deployment, work: (databases: Map<string, Database>) => Promise<T>): Promise<T> {
  const databases = openDatabases(await deployment.topology());
  try {
    return await work(databases);
  } finally {
    await Promise.all([...databases.values()].map((database) => database.close()));
  }
}

/** By region, every ride with what became of it. */
async function ridesIn(databases: ReadonlyMap<string, Database>): Promise<Map<string, readonly string[]>> {
  const entries = await Promise.all([...databases].map(async ([region, database]) => {
    const rows = await database.query<{ id: bigint; status: string }>('SELECT id, status FROM rides ORDER BY id');
    return [region, rows.map(({ id, status }) => `${id} ${status}`)] as const;
  }));
  return new Map(entries);
}
