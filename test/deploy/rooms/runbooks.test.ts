/** Every command, name, port and code that a runbook uses is one that exists today. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { allPorts, assignPorts } from '../../../deploy/local/ports.ts';
import { CODES } from '../../../shared/kernel/codes.ts';
import { mainOf, readCompose } from './compose-file.ts';
import { registeredMetrics } from './metric-names.ts';
import { filesLike, isFile, readEnvFile, readText, REPO_ROOT } from './repo-files.ts';
import { runbookPages } from './runbook-pages.ts';

const pages = runbookPages();
const procedures = pages.filter(({ file }) => file !== 'README.md');
/** Named as the local stack names them; compose.test.ts holds the two together. */
const processes = Object.keys(readCompose(readEnvFile('deploy/compose/.env.example')).services).map((name) => name.replace('mariadb', 'mysql'));

/** What `./tandem help <command>` says, by command. */
const helpOf = new Map<string, string>();

async function help(...args: readonly string[]): Promise<string> {
  const asked = args.length === 0 ? ['help'] : [...args, '--help'];
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(REPO_ROOT, 'deploy/cli.ts'), ...asked]);
  return stdout;
}

beforeAll(async () => {
  const commands = [...(await help()).matchAll(/^ {2}([a-z]+)(?: |$)/gm)].map((match) => match[1]!).filter((name) => name !== 'help');
  await Promise.all(commands.map(async (command) => {
    const text = await help(command);
    helpOf.set(command, text);
    // A command of commands: `cdc status`, `conflicts list`.
    const below = [...(/^Commands:\n([^]*)/m.exec(text)?.[1] ?? '').matchAll(/^ {2}([a-z]+)(?: |$)/gm)].map((match) => match[1]!);
    await Promise.all(below.filter((name) => name !== 'help').map(async (sub) => helpOf.set(`${command} ${sub}`, await help(command, sub))));
  }));
}, 240_000);

test('each page says what one sees, what it means, what to do and when it is over', () => {
  for (const { file, text } of procedures) {
    const sections = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    expect(sections, file).toEqual(expect.arrayContaining(['What you see', 'What it means', 'What to do', 'How you know it is over']));
    expect(sections.at(-1), file).toBe('How you know it is over');
    expect(text.split('\n').length, file).toBeLessThanOrEqual(110);
  }
  expect(procedures.length).toBeGreaterThanOrEqual(6);
});

test('every ./tandem command is a command of the command line, with options that it has', () => {
  const used = pages.flatMap(({ file, commands }) => commands.filter((line) => line.startsWith('./tandem ')).map((line) => ({ file, line })));
  expect(used.length).toBeGreaterThan(20);
  const problems = used.flatMap(({ file, line }) => {
    const [, first = '', ...rest] = line.replaceAll(/"[^"]*"|'[^']*'/g, 'text').split(' ');
    const command = helpOf.has(`${first} ${rest[0]}`) ? `${first} ${rest[0]}` : first;
    const help = helpOf.get(command);
    if (help === undefined) return [`${file}: there is no ./tandem ${command}`];
    if (/^Commands:$/m.test(help)) return [`${file}: ./tandem ${command} wants a command of its own: ${line}`];
    const options = rest.filter((word) => word.startsWith('-'));
    return options.filter((option) => !new RegExp(`(^|[ ,])${option}([ ,]|$)`, 'm').test(help)).map((option) => `${file}: ./tandem ${command} has no ${option}`);
  });
  expect(problems).toEqual([]);
});

test('every request to the supervisor names a process of the stack and a thing it does', () => {
  const actions = [...readText('deploy/local/supervisor/control-server.ts').matchAll(/^ {2}([a-z]+): (?:async )?\(managed/gm)].map((match) => match[1]);
  const requests = pages.flatMap(({ commands }) => commands).flatMap((line) => [...line.matchAll(/http:\/\/supervisor\/processes\/([\w-]+)\/(\w+)/g)]);
  expect(requests.length).toBeGreaterThan(8);
  for (const [, name, verb] of requests) {
    expect(processes).toContain(name);
    expect(actions).toContain(verb);
  }
});

test('every log file is that of a process, and what is searched for in it is something that is logged', () => {
  const sources = filesLike('{services,cdc,shared}/**/*.ts').map(readText).join('\n');
  for (const { file, commands } of pages) {
    for (const line of commands) {
      for (const [, name] of line.matchAll(/\.tandem\/logs\/([\w-]+)\.log/g)) expect(processes, file).toContain(name);
      const sought = /^grep (?:-c )?'([a-z][a-z ]+)' \.tandem\/logs/.exec(line)?.[1];
      if (sought !== undefined) expect(sources.includes(sought), `${file}: nobody logs "${sought}"`).toBe(true);
    }
  }
});

test('every port is that of the process which the page means', () => {
  const named = new Map(allPorts(assignPorts(['east', 'west'], {})).map(({ name, port }) => [String(port), name]));
  const uses = pages.flatMap(({ file, commands }) => commands.flatMap((line) =>
    [...line.matchAll(/http:\/\/127\.0\.0\.1:(\d+)(\/\S*)/g)].map(([, port = '', urlPath = '']) => ({ file, owner: named.get(port), urlPath }))));
  expect(uses.length).toBeGreaterThan(10);
  for (const { file, owner, urlPath } of uses) {
    expect(owner, file).toBeDefined();
    expect(owner!.endsWith(' etcd') ? ['/health'] : ['/health/ready', '/metrics'], `${file}: ${owner}`).toContain(urlPath);
  }
  const spoken = pages.flatMap(({ text }) => [...text.matchAll(/\b(17[012]\d\d)\b/g)].map((match) => match[1]!));
  expect(spoken.filter((port) => !named.has(port))).toEqual([]);
});

test('every metric that is searched for is registered', () => {
  const metrics = registeredMetrics();
  for (const { file, commands } of pages) {
    for (const line of commands.filter((command) => command.includes('/metrics'))) {
      const [, pattern = ''] = /\| grep (?:-E )?'?\^?([\w(|)]+)'?/.exec(line) ?? [];
      expect(pattern, `${file}: ${line}`).not.toBe('');
      const [, stem = '', ends] = /^(\w*)(?:\(([\w|]+)\))?$/.exec(pattern) ?? ['', ''];
      const wanted = stem === '' ? pattern.split('|') : (ends ?? '').split('|').map((end) => stem + end);
      expect(wanted.filter((name) => !metrics.has(name)), file).toEqual([]);
    }
  }
});

test('every error code in a table is one of ours', () => {
  const codes = pages.flatMap(({ text }) => [...text.matchAll(/^ *\| `([a-z-]+)` \|/gm)].map((match) => match[1]!));
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => !Object.hasOwn(CODES, code))).toEqual([]);
});

test('links lead somewhere, every page is in the README, and process-down names every process of ours', () => {
  for (const { file, text } of pages) {
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)(?:#[\w-]+)?\)/g)) expect(isFile(path.join('deploy/runbooks', target)), `${file} → ${target}`).toBe(true);
  }
  const readme = pages.find(({ file }) => file === 'README.md')!.text;
  for (const { file } of procedures) expect(readme).toContain(`(${file})`);
  const kinds = new Set(Object.values(readCompose(readEnvFile('deploy/compose/.env.example')).services).map((service) => mainOf(service)?.match(/(\w+)\/main\.ts$/)?.[1]).filter((kind) => kind !== undefined));
  const table = pages.find(({ file }) => file === 'process-down.md')!.text;
  for (const kind of kinds) expect(table).toContain(`| ${kind} |`);
});
