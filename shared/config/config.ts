/**
 * Reads a process's configuration from its environment, typed, and complains about every bad key at once.
 *
 * Invariant: readConfig either returns values that are all valid or throws config-invalid; nothing has connected to
 * anything by then. It never exits the process, never reads process.env by itself, and never prints a secret.
 */
import { Regions } from '../kernel/region.ts';
import type { RegionName } from '../kernel/region.ts';
import { isTandemError, TandemError } from '../kernel/tandem-error.ts';
import { Secret } from './secret.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Reads one value; throws Misread. A reader may look at several keys but reports on its own. */
export interface Reader<T> {
  readonly key: string;
  read(env: Env): T;
}

export type ConfigSpec = Readonly<Record<string, Reader<unknown>>>;
export type ConfigOf<Spec extends ConfigSpec> = {
  readonly [Name in keyof Spec]: Spec[Name] extends Reader<infer T> ? T : never;
};

/** Throws config-invalid; its message has one line for each bad key, details.problems the same lines. */
export function readConfig<Spec extends ConfigSpec>(spec: Spec, env: Env): ConfigOf<Spec> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, reader] of Object.entries(spec)) {
    try {
      values[name] = reader.read(env);
    } catch (e) {
      if (!(e instanceof Misread)) throw e;
      problems.push(`${reader.key}: ${e.message}`);
    }
  }
  if (problems.length > 0) throw new TandemError('config-invalid', problems.join('\n'), { details: { problems } });
  return values as ConfigOf<Spec>;
}

/** Says what was expected, and what was there instead unless that is secret. */
export class Misread extends Error {
  readonly expected: string;
  readonly missing: boolean;

  constructor(expected: string, got?: string) {
    super(got === undefined ? `missing, expected ${expected}` : `expected ${expected}, got "${got}"`);
    this.expected = expected;
    this.missing = got === undefined;
  }
}

/** A reader of one key. `parse` returns undefined for a bad text. An empty variable counts as missing. */
export function reader<T>(
  key: string,
  expected: string,
  parse: (text: string) => T | undefined,
  fallback?: T,
): Reader<T> {
  return {
    key,
    read(env) {
      const raw = env[key];
      if (raw === undefined || raw === '') {
        if (fallback === undefined) throw new Misread(expected);
        return fallback;
      }
      const value = parse(raw);
      if (value === undefined) throw new Misread(expected, raw);
      return value;
    },
  };
}

export function text(key: string, options: { default?: string; pattern?: RegExp } = {}): Reader<string> {
  const { pattern } = options;
  const expected = pattern === undefined ? 'a text' : `a text like ${pattern}`;
  return reader(key, expected, (raw) => (pattern === undefined || pattern.test(raw) ? raw : undefined), options.default);
}

/** A whole number in [min, max], decimal. */
export function integer(key: string, options: { min: number; max: number; default?: number }): Reader<number> {
  const { min, max } = options;
  return reader(key, `a whole number from ${min} to ${max}`, (raw) => integerIn(raw, min, max), options.default);
}

/** A TCP port to listen on; 0 asks the system for a free one. */
export function port(key: string, options: { default?: number } = {}): Reader<number> {
  return reader(key, 'a port from 0 to 65535', (raw) => integerIn(raw, 0, PORT_MAX), options.default);
}

/** An absolute URL, as it was written but without a slash at its end. `protocols` are like "redis:". */
export function url(key: string, options: { protocols?: readonly string[]; default?: string } = {}): Reader<string> {
  const { protocols = HTTP } = options;
  return reader(key, `a URL (${protocols.join(', ')})`, (raw) => parseUrl(raw, protocols), options.default);
}

/** "host:port,host:port" as ["host:port", …], at least one. */
export function hostPorts(key: string): Reader<string[]> {
  return reader(key, '<host>:<port>, separated by commas', parseHostPorts);
}

/** "name=host:port,host:port;name=…" as a map, in order. */
export function namedHostPorts(key: string): Reader<ReadonlyMap<string, string[]>> {
  return reader(key, '<name>=<host>:<port>,…, separated by semicolons', (raw) => parseNamed(raw, parseHostPorts));
}

/** "name=http://…;name=…" as a map, in order. */
export function namedUrls(key: string): Reader<ReadonlyMap<string, string>> {
  return reader(key, '<name>=<URL>, separated by semicolons', (raw) => parseNamed(raw, parseUrl));
}

export function oneOf<const Value extends string>(
  key: string,
  values: readonly Value[],
  options: { default?: NoInfer<Value> } = {},
): Reader<Value> {
  return reader(key, `one of ${values.join(', ')}`, (raw) => values.find((value) => value === raw), options.default);
}

/** "east=1,west=2". */
export function regions(key: string): Reader<Regions> {
  return reader(key, 'at least two <name>=<origin>, names and origins (1-15) unique', parseRegions);
}

/** The region this process stands in: one of those listed under `regionsKey`. */
export function ownRegion(key: string, regionsKey: string): Reader<RegionName> {
  return {
    key,
    read(env) {
      const name = text(key).read(env);
      const all = parseRegions(env[regionsKey] ?? '');
      // Where the list itself is bad its own reader says so; a second complaint would only mislead.
      if (all !== undefined && !all.has(name)) throw new Misread(`one of ${all.names.join(', ')} (${regionsKey})`, name);
      return name;
    },
  };
}

/** Wraps a key or a text reader; the value is a Secret, and a bad one is not repeated in the complaint. */
export function secret(inner: string | Reader<string>): Reader<Secret> {
  const { key, read } = unrepeated(typeof inner === 'string' ? text(inner) : inner);
  return { key, read: (env) => new Secret(read(env)) };
}

/** Wraps a reader whose bad values must not be repeated in a complaint. */
export function unrepeated<T>(inner: Reader<T>): Reader<T> {
  return {
    key: inner.key,
    read(env) {
      try {
        return inner.read(env);
      } catch (e) {
        if (e instanceof Misread && !e.missing) throw new Misread(e.expected, '[secret]');
        throw e;
      }
    },
  };
}

/** undefined where the key is missing; a value that is there must still be valid. */
export function optional<T>(inner: Reader<T>): Reader<T | undefined> {
  return {
    key: inner.key,
    read: (env) => (env[inner.key] === undefined || env[inner.key] === '' ? undefined : inner.read(env)),
  };
}

const HTTP = ['http:', 'https:'];
const PORT_MAX = 65_535;
const HOST_PORT = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?<port>[0-9]{1,5})$/;
const NAMED = /^(?<name>[a-z][a-z0-9-]*)=(?<value>.+)$/;

function integerIn(raw: string, min: number, max: number): number | undefined {
  const value = /^(?:0|-?[1-9][0-9]*)$/.test(raw) ? Number(raw) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

function parseUrl(raw: string, protocols: readonly string[] = HTTP): string | undefined {
  const protocol = URL.canParse(raw) ? new URL(raw).protocol : '';
  return protocols.includes(protocol) ? raw.replace(/\/+$/, '') : undefined;
}

function parseHostPorts(raw: string): string[] | undefined {
  const entries = raw.split(',').map((entry) => entry.trim());
  const valid = entries.every((entry) => {
    const number = Number(HOST_PORT.exec(entry)?.groups?.['port']);
    return number >= 1 && number <= PORT_MAX;
  });
  return valid ? entries : undefined;
}

function parseNamed<T>(raw: string, parseValue: (text: string) => T | undefined): ReadonlyMap<string, T> | undefined {
  const named = new Map<string, T>();
  for (const entry of raw.split(';')) {
    const { name, value: valueText } = NAMED.exec(entry.trim())?.groups ?? {};
    if (name === undefined || valueText === undefined || named.has(name)) return undefined;
    const value = parseValue(valueText);
    if (value === undefined) return undefined;
    named.set(name, value);
  }
  return named;
}

function parseRegions(raw: string): Regions | undefined {
  try {
    return Regions.parse(raw);
  } catch (e) {
    if (isTandemError(e, 'config-invalid')) return undefined;
    throw e;
  }
}
