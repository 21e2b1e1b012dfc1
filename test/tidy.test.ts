/**
 * The rules of the house that nobody should have to remember: who may import whom, which folder owns which client,
 * how files are named and begin, how long they may grow. ARCHITECTURE.md gives the reasons.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('..', import.meta.url).pathname;
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '');
const sources = tracked
  .filter((file) => /^(shared|cdc|services|deploy|chaos|test)\/.*\.ts$/.test(file) && !file.endsWith('.d.ts'))
  .flatMap((file) => {
    try {
      return [{ file, text: readFileSync(root + file, 'utf8') }];
    } catch {
      return []; // deleted in the work tree, not yet in the index
    }
  });

type Import = { readonly file: string; readonly target: string; readonly isPackage: boolean };

const imports: readonly Import[] = sources.flatMap(({ file, text }) =>
  [...text.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm)].map((match) => {
    const specifier = (match[1] ?? match[2] ?? match[3])!;
    const isPackage = !specifier.startsWith('.');
    return { file, isPackage, target: isPackage ? specifier : posix.join(posix.dirname(file), specifier) };
  }),
);

/** `shared/mysql/database.ts` → `shared/mysql`; `chaos/replay.ts` → `chaos`. */
const roomOf = (file: string): string => {
  const [first, second] = file.split('/');
  return first === 'shared' || first === 'services' || first === 'cdc' ? `${first}/${second}` : first!;
};

test('there is something to check', () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(imports.length).toBeGreaterThan(200);
});

test('each room imports only rooms below it', () => {
  const bottom = new Set(['shared/kernel']);
  const values = new Set(['shared/clock', 'shared/id', 'shared/unit']);
  const allowed = (from: string, to: string): boolean => {
    if (from === to || from === 'test') return true;
    if (bottom.has(from)) return false;
    // Leasing a node number is the one value that needs a server.
    if (values.has(from)) return bottom.has(to) || values.has(to) || (from === 'shared/id' && to === 'shared/etcd');
    if (from.startsWith('shared/')) return to.startsWith('shared/');
    if (from.startsWith('services/')) return to.startsWith('shared/');
    if (from.startsWith('cdc/')) return to.startsWith('shared/') || to.startsWith('cdc/');
    if (from === 'chaos') return !to.startsWith('test') && to !== 'deploy';
    return from === 'deploy' && to !== 'test';
  };
  const broken = imports
    .filter((edge) => !edge.isPackage && !allowed(roomOf(edge.file), roomOf(edge.target)))
    .map((edge) => `${edge.file} imports ${edge.target}`);
  expect(broken).toEqual([]);
});

const OWNERS: Record<string, readonly string[]> = {
  mysql2: ['shared/mysql'],
  ioredis: ['shared/redis'],
  kafkajs: ['shared/kafka'],
  etcd3: ['shared/etcd'],
  redlock: ['shared/lock'],
  '@grpc/grpc-js': ['shared/rpc'],
  '@grpc/proto-loader': ['shared/rpc'],
  fastify: ['shared/http'],
  ws: ['shared/http'],
  jose: ['shared/http'],
  pino: ['shared/telemetry'],
  'close-with-grace': ['shared/lifecycle'],
  undici: ['shared/http', 'services/router'],
  commander: ['deploy', 'services/ops', 'cdc/reconcile', 'cdc/operate'],
};

function ownersOf(name: string): readonly string[] | undefined {
  if (name.startsWith('@opentelemetry/')) return ['shared/telemetry'];
  return name.startsWith('@fastify/') ? ['shared/http'] : OWNERS[name];
}

test('a client package is imported in its own folder alone', () => {
  const broken = imports
    .filter((edge) => edge.isPackage && !edge.file.startsWith('test/'))
    .filter((edge) => {
      const owners = ownersOf(edge.target.split('/').slice(0, edge.target.startsWith('@') ? 2 : 1).join('/'));
      return owners !== undefined && !owners.includes(roomOf(edge.file));
    })
    .map((edge) => `${edge.file} imports ${edge.target}`);
  expect(broken).toEqual([]);
});

test('the pure folders touch no client, no file, no process, no clock', () => {
  const pure = /^(cdc\/change|cdc\/resolve|cdc\/debezium|chaos\/checkers|shared\/(kernel|clock|unit)|services\/[^/]+\/domain)\//;
  const drawers = /^(node:(fs|net|http|child_process|worker_threads|os|process|dgram)|mysql2|ioredis|kafkajs|etcd3|redlock|@grpc|fastify|pino|undici)/;
  const byImport = imports.filter((edge) => pure.test(edge.file) && edge.isPackage && drawers.test(edge.target)).map((edge) => `${edge.file} imports ${edge.target}`);
  const clock = /\bDate\.now\(|\bnew Date\(\)|\bprocess\.env\b|\bMath\.random\(/;
  const byUse = sources
    .filter(({ file }) => pure.test(file) && !file.startsWith('shared/kernel/'))
    .filter(({ text }) => clock.test(withoutComments(text)))
    .map(({ file }) => `${file} reads the clock, chance or the environment`);
  expect([...byImport, ...byUse]).toEqual([]);
});

test('only config, process roots and the command line read the environment', () => {
  const may = /^(shared\/(config|lifecycle)\/|services\/[^/]+\/(main|config)\.ts|cdc\/[^/]+\/(main|config)\.ts|deploy\/|chaos\/|test\/)/;
  const broken = sources.filter(({ file, text }) => !may.test(file) && /\bprocess\.env\b/.test(withoutComments(text))).map(({ file }) => file);
  expect(broken).toEqual([]);
});

test('names say what a thing is: kebab-case files, no drawers, no default exports, no barrels', () => {
  const drawer = /(^|\/)(utils?|helpers?|managers?|common|types|interfaces|misc|index)(\.ts|\/|$)/;
  expect(sources.filter(({ file }) => drawer.test(file)).map(({ file }) => file)).toEqual([]);
  const kebab = /^([a-z0-9.]+(-[a-z0-9.]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.ts$/;
  expect(sources.filter(({ file }) => !kebab.test(file)).map(({ file }) => file)).toEqual([]);
  expect(sources.filter(({ text }) => /^export default\b/m.test(text)).map(({ file }) => file)).toEqual([]);
});

test('a file begins with what it is, and fits a sitting', () => {
  const silent = sources.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ file }) => file);
  expect(silent, 'files without a first comment').toEqual([]);
  const long = sources.filter(({ text }) => text.split('\n').length > 400).map(({ file, text }) => `${file}: ${text.split('\n').length} lines`);
  expect(long).toEqual([]);
});

test('no secret, no host of a package registry and no absolute path of a machine is in the repo', () => {
  const text = tracked
    .filter((file) => !file.endsWith('package-lock.json') && !/\.(png|jpg)$/.test(file) && file !== 'test/tidy.test.ts')
    .map((file) => {
      try {
        return { file, text: readFileSync(root + file, 'utf8') };
      } catch {
        return { file, text: '' };
      }
    });
  const forbidden = /-----BEGIN [A-Z ]*PRIVATE KEY|registry\.npmjs\.org|repo\.maven\.apache\.org|\/work\/(main|shared)|\/root\//;
  expect(text.filter((entry) => forbidden.test(entry.text)).map((entry) => entry.file)).toEqual([]);
});

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}
