/**
 * Which trips `up` replays: the file that was named, the Manhattan day beside the repo, what nrel.hive carries, or a made-up day.
 *
 * Invariant: what comes back is checked to the last row, before anything is started, and says where it is from.
 */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Trip } from '../../../chaos/workloads/rider.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Place } from '../../../shared/unit/place.ts';
import type { Say } from '../console.ts';
import { REPO_ROOT } from '../state-dir.ts';
import { hiveFiles } from './nrel-hive.ts';
import { parseTrips } from './parse-trips.ts';
import { SYNTHETIC_SEED, syntheticDay } from './synthetic-day.ts';

const FILE_BYTES_MAX = 128 * 1024 * 1024;
const MANHATTAN = path.resolve(REPO_ROOT, '..', 'shared', 'data', 'manhattan');

export interface TripSource {
  /** For people and for the summary: a path, or what it is. */
  readonly source: string;
  readonly trips: readonly Trip[];
  /** Where cars may start; spread over the city, best first. */
  readonly starts: readonly Place[];
}

/**
 * @param options.file what --trips names
 * Throws trips-invalid where a named file is missing, empty or has a bad row.
 */
export async function loadTrips(options: { file?: string | undefined; cache: string; say: Say }): Promise<TripSource> {
  if (options.file !== undefined) return fromFile(options.file, null);
  const manhattan = path.join(MANHATTAN, 'trips.csv');
  if (existsSync(manhattan)) return fromFile(manhattan, path.join(MANHATTAN, 'fleet_1200.csv'));
  const hive = await hiveFiles(options.cache, options.say);
  if (hive !== null) return { ...(await fromFile(hive.trips, hive.fleet)), source: 'the Manhattan day of nrel.hive (PyPI)' };
  const trips = syntheticDay();
  return { source: `a synthetic day, seed ${SYNTHETIC_SEED}`, trips, starts: pickupsOf(trips) };
}

async function fromFile(file: string, fleet: string | null): Promise<TripSource> {
  const trips = parseTrips(await readTrips(file), file);
  const starts = fleet !== null && existsSync(fleet) ? await readStarts(fleet) : pickupsOf(trips);
  return { source: path.relative(process.cwd(), path.resolve(file)) || file, trips, starts };
}

async function readTrips(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > FILE_BYTES_MAX) throw new TandemError('trips-invalid', `${file} has ${size} bytes, above ${FILE_BYTES_MAX}`);
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new TandemError('trips-invalid', `${file}: there is no such trips file`, { cause });
    if (code === 'EISDIR' || code === 'EACCES') throw new TandemError('trips-invalid', `${file}: the trips file cannot be read (${code})`, { cause });
    throw cause;
  }
}

/** idx,lat,lon,… of a fleet file. */
async function readStarts(file: string): Promise<Place[]> {
  const rows = parse(await readFile(file, 'utf8'), { columns: true, skip_empty_lines: true }) as Record<string, string>[];
  return rows.map(({ lat, lon }) => ({ lat: Number(lat), lon: Number(lon) }));
}

/** Without a fleet, cars start where people will stand. */
function pickupsOf(trips: readonly Trip[]): Place[] {
  return trips.map(({ pickup }) => pickup);
}
