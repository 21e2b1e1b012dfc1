/**
 * The Manhattan day that the PyPI package nrel.hive carries (BSD-3-Clause), fetched with pip into the cache.
 *
 * Invariant: only files of a finished download count. Where there is no Python, no pip or no network it gives null: the next
 * source is tried. The package's own columns are turned into those of a trips file.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Say } from '../console.ts';
import { onPath } from '../programs/locate.ts';
import { run } from '../programs/run.ts';

const PACKAGE = 'nrel.hive==1.3.1';
const SCENARIO = 'nrel/hive/resources/scenarios/manhattan';
const FETCH_DEADLINE_MS = 60_000;
const DAY_START_MS = Date.UTC(2014, 11, 21);

export interface HiveFiles {
  readonly trips: string;
  readonly fleet: string;
}

export async function hiveFiles(cache: string, say: Say): Promise<HiveFiles | null> {
  const target = path.join(cache, 'nrel-hive');
  const files = { trips: path.join(target, 'trips.csv'), fleet: path.join(target, 'fleet_200.csv') };
  if (existsSync(target)) return files;
  const python = onPath('python3');
  if (python === null) return null;
  say(`fetching ${PACKAGE} from PyPI for its Manhattan trips (1 MB)`);
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(`${target}.draft-`);
  try {
    if (!(await fetchInto(python, draft))) return null;
    const out = path.join(draft, 'out');
    await mkdir(out);
    const [requests, vehicles] = await Promise.all([`${SCENARIO}/requests/nyc_20k.csv`, `${SCENARIO}/vehicles/nyc_200.csv`]
      .map((file) => readFile(path.join(draft, file), 'utf8')));
    await writeFile(path.join(out, 'trips.csv'), tripsCsv(requests as string));
    await writeFile(path.join(out, 'fleet_200.csv'), fleetCsv(vehicles as string));
    await rename(out, target);
    return files;
  } catch (e) {
    say(`nrel.hive could not be used: ${e instanceof Error ? e.message : String(e)}`);
    return null;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function fetchInto(python: string, dir: string): Promise<boolean> {
  const options = { deadlineMs: FETCH_DEADLINE_MS, cwd: dir };
  const fetched = await run(python, ['-m', 'pip', 'download', '-q', '--no-deps', '--disable-pip-version-check', '--dest', dir, PACKAGE], options);
  const wheel = (await readdir(dir)).find((file) => file.endsWith('.whl'));
  if (fetched.status !== 0 || wheel === undefined) return false;
  return (await run(python, ['-m', 'zipfile', '-e', wheel, dir], options)).status === 0;
}

/** request_id,o_lat,o_lon,d_lat,d_lon,departure_time,passengers -> the columns of a trips file. */
function tripsCsv(text: string): string {
  const rows = parse(text, { columns: true, skip_empty_lines: true }) as Record<string, string>[];
  const lines = rows.map((row) => {
    const tSec = (Date.parse(`${row.departure_time?.replace(' ', 'T')}Z`) - DAY_START_MS) / 1_000;
    return [row.request_id, tSec, row.o_lat, row.o_lon, row.d_lat, row.d_lon].join(',');
  });
  return `request_id,t_sec,o_lat,o_lon,d_lat,d_lon\n${lines.join('\n')}\n`;
}

function fleetCsv(text: string): string {
  const rows = parse(text, { columns: true, skip_empty_lines: true }) as Record<string, string>[];
  return `idx,lat,lon\n${rows.map((row, idx) => [idx, row.lat, row.lon].join(',')).join('\n')}\n`;
}
