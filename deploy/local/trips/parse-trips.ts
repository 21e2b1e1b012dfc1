/**
 * Reads a trips file: CSV with a header, at least request_id, t_sec, o_lat, o_lon, d_lat, d_lon. Pure.
 *
 * Invariant: all or nothing. A bad row refuses the whole file, with the line and the column of every bad value (the first
 * PROBLEMS_SHOWN_MAX of them); trips come back in the order of their times.
 */
import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import type { Trip } from '../../../chaos/workloads/rider.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export const PROBLEMS_SHOWN_MAX = 10;
export const TRIPS_MAX = 1_000_000;

interface Column {
  readonly name: string;
  readonly expected: string;
  readonly isGood: (text: string) => boolean;
}

const decimal = (min: number, max: number) => (text: string): boolean => /^-?\d+(\.\d+)?$/.test(text) && Number(text) >= min && Number(text) <= max;
const LATITUDE = { expected: 'a latitude from -90 to 90', isGood: decimal(-90, 90) };
const LONGITUDE = { expected: 'a longitude from -180 to 180', isGood: decimal(-180, 180) };

const COLUMNS: readonly Column[] = [
  { name: 'request_id', expected: 'an id of 1 to 64 letters, digits, . _ -', isGood: (text) => /^[\w.-]{1,64}$/.test(text) },
  { name: 't_sec', expected: 'seconds from 0 to 604800', isGood: decimal(0, 604_800) },
  { name: 'o_lat', ...LATITUDE },
  { name: 'o_lon', ...LONGITUDE },
  { name: 'd_lat', ...LATITUDE },
  { name: 'd_lon', ...LONGITUDE },
];

interface Row {
  readonly line: number;
  readonly fields: readonly string[];
}

/** Throws trips-invalid (details.problems: [{line, column, problem}]); an empty file and one without rows say so. */
export function parseTrips(text: string, source: string): Trip[] {
  const [header, ...rows] = splitRows(text, source);
  if (header === undefined) throw new TandemError('trips-invalid', `${source} is empty: not even a header line is in it`);
  const names = header.fields.map((name) => name.trim());
  const absent = COLUMNS.filter(({ name }) => !names.includes(name));
  if (absent.length > 0) {
    throw new TandemError('trips-invalid', `${source}, line ${header.line}: the header lacks ${absent.map(({ name }) => name).join(', ')}; `
      + `it needs ${COLUMNS.map(({ name }) => name).join(', ')}`);
  }
  if (rows.length === 0) throw new TandemError('trips-invalid', `${source} is empty: a header line, and no trips under it`);
  if (rows.length > TRIPS_MAX) throw new TandemError('trips-invalid', `${source} has ${rows.length} trips, above ${TRIPS_MAX}`);
  const problems = [...rows.flatMap((row) => problemsOf(row, names)), ...repeatedIds(rows, names)];
  if (problems.length > 0) throw refusal(source, problems);
  const at = (row: Row, name: string): string => row.fields[names.indexOf(name)] as string;
  return rows.map((row) => ({
    requestId: at(row, 'request_id'),
    tS: Number(at(row, 't_sec')),
    pickup: { lat: Number(at(row, 'o_lat')), lon: Number(at(row, 'o_lon')) },
    dropoff: { lat: Number(at(row, 'd_lat')), lon: Number(at(row, 'd_lon')) },
  })).toSorted((a, b) => a.tS - b.tS);
}

interface Problem {
  readonly line: number;
  readonly column: string;
  readonly problem: string;
}

function problemsOf({ line, fields }: Row, names: readonly string[]): Problem[] {
  if (fields.length !== names.length) {
    // The column that is one too few or one too many.
    const column = names[fields.length] ?? `column ${names.length + 1}`;
    return [{ line, column, problem: `the row has ${fields.length} fields, the header ${names.length}` }];
  }
  return COLUMNS.flatMap(({ name, expected, isGood }) => {
    const value = fields[names.indexOf(name)] as string;
    return isGood(value) ? [] : [{ line, column: name, problem: `"${value.slice(0, 40)}" is not ${expected}` }];
  });
}

function repeatedIds(rows: readonly Row[], names: readonly string[]): Problem[] {
  const firstLine = new Map<string, number>();
  return rows.flatMap(({ line, fields }) => {
    const id = fields[names.indexOf('request_id')];
    const first = id === undefined ? undefined : firstLine.get(id);
    if (id !== undefined && first === undefined) firstLine.set(id, line);
    return first === undefined ? [] : [{ line, column: 'request_id', problem: `"${id}" is also on line ${first}` }];
  });
}

function refusal(source: string, problems: readonly Problem[]): TandemError {
  const sorted = problems.toSorted((a, b) => a.line - b.line);
  const shown = sorted.slice(0, PROBLEMS_SHOWN_MAX).map(({ line, column, problem }) => `${source}, line ${line}, column ${column}: ${problem}`);
  const rest = sorted.length - shown.length;
  if (rest > 0) shown.push(`and ${rest} more`);
  return new TandemError('trips-invalid', shown.join('\n'), { details: { problems: sorted.slice(0, PROBLEMS_SHOWN_MAX) } });
}

function splitRows(text: string, source: string): Row[] {
  try {
    const records = parse(text, { bom: true, info: true, relax_column_count: true, skip_empty_lines: true }) as unknown as {
      info: { lines: number };
      record: string[];
    }[];
    return records.map(({ info, record }) => ({ line: info.lines, fields: record }));
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new TandemError('trips-invalid', `${source}, line ${String(cause.lines)}, column ${String(cause.column)}: ${cause.message}`, { cause });
  }
}
