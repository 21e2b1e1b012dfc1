/**
 * A scenario is data: which processes die, when, for how long. One YAML file each in ./scenarios.
 *
 * A bad file is refused with every bad key named, before anything is started.
 */
import { readdir, readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { TandemError } from '../shared/kernel/tandem-error.ts';

export type Scenario = {
  readonly name: string;
  readonly about: string;
  /** Process names without their region: `capture` is `capture-east`. */
  readonly processes: readonly string[];
  /** 0..1: the fault strikes once this share of the rides has ended. */
  readonly afterShare: number;
  readonly outageS: number;
};

const FOLDER = new URL('./scenarios/', import.meta.url);
const OUTAGE_S_MAX = 300;

/** The names of the scenarios there are, sorted. */
export async function scenarioNames(): Promise<string[]> {
  return (await readdir(FOLDER)).filter((name) => name.endsWith('.yaml')).map((name) => name.slice(0, -5)).toSorted();
}

export async function readScenario(name: string): Promise<Scenario> {
  const names = await scenarioNames();
  if (!names.includes(name)) {
    throw new TandemError('validation-failed', `there is no scenario '${name}'; there are ${names.join(', ')}`, { details: { name, names } });
  }
  return parseScenario(`${name}.yaml`, parse(await readFile(new URL(`${name}.yaml`, FOLDER), 'utf8')));
}

export function parseScenario(file: string, raw: unknown): Scenario {
  const value = (raw ?? {}) as Record<string, unknown>;
  const faults: string[] = [];
  const expect = (key: string, ok: boolean, wanted: string) => ok || faults.push(`${key}: expected ${wanted}, found ${JSON.stringify(value[key])}`);
  expect('name', typeof value.name === 'string', 'text');
  expect('about', typeof value.about === 'string', 'text');
  expect('processes', Array.isArray(value.processes) && value.processes.length > 0 && value.processes.every((name) => typeof name === 'string'), 'a list of process names');
  expect('afterShare', typeof value.afterShare === 'number' && value.afterShare >= 0 && value.afterShare <= 1, 'a number from 0 to 1');
  expect('outageS', typeof value.outageS === 'number' && value.outageS > 0 && value.outageS <= OUTAGE_S_MAX, `seconds, at most ${OUTAGE_S_MAX}`);
  const known = new Set(['name', 'about', 'processes', 'afterShare', 'outageS']);
  for (const key of Object.keys(value)) if (!known.has(key)) faults.push(`${key}: no such key`);
  if (faults.length > 0) throw new TandemError('config-invalid', `${file}:\n  ${faults.join('\n  ')}`, { details: { faults } });
  return value as Scenario;
}
