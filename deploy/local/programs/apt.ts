/**
 * Installing with apt on Debian and Ubuntu: programs only, and only where it may (as root, or with sudo that asks nothing).
 *
 * Invariant: nothing is installed before it has been named. The package lists are refreshed at most once a run, and only when
 * they lack something or are too old to download from. No package that enables a service is ever installed here.
 */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Say } from '../console.ts';
import { onPath } from './locate.ts';
import { run } from './run.ts';
import type { Ran } from './run.ts';

const QUERY_DEADLINE_MS = 30_000;
const UPDATE_DEADLINE_MS = 300_000;
const INSTALL_DEADLINE_MS = 1_800_000;
/** Another apt may be at work; wait for its lock rather than fail. */
const QUIET = ['-q', '-y', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
const ENV = { DEBIAN_FRONTEND: 'noninteractive' };
const SHOW_EVERY_MS = 1_000;
const WORTH_SHOWING = /^(Get:|Unpacking|Setting up)/;

export class Apt {
  readonly #say: Say;
  #updated = false;
  #rights: Promise<readonly string[] | null> | undefined;

  constructor(say: Say) {
    this.#say = say;
  }

  static isHere(): boolean {
    return onPath('apt-get') !== null && onPath('dpkg') !== null;
  }

  /** What to put before a command that changes the system: nothing as root, `sudo -n`, or null where it may not. */
  rights(): Promise<readonly string[] | null> {
    this.#rights ??= findRights();
    return this.#rights;
  }

  /** The first of `names` that the distribution offers; refreshes the lists once when it offers none. */
  async firstOffered(names: readonly string[]): Promise<string | null> {
    return (await this.#offered(names)) ?? ((await this.#update()) ? this.#offered(names) : null);
  }

  /** Package names that match, e.g. '^openjdk-[0-9]+-jre-headless$'. */
  async search(pattern: string): Promise<string[]> {
    const lines: string[] = [];
    await run('apt-cache', ['search', '--names-only', pattern], { deadlineMs: QUERY_DEADLINE_MS, onLine: (line) => lines.push(line) });
    return lines.map((line) => line.split(' ')[0] ?? '').filter((name) => name !== '');
  }

  /** Installs programs, without what they merely recommend. Throws missing-program with apt's last words. */
  async install(packages: readonly string[]): Promise<void> {
    const args = ['install', ...QUIET, '--no-install-recommends', ...packages];
    const ran = await this.#changing(args);
    if (ran.status === 0) return;
    // Lists that are days old name files that the mirror no longer has.
    const again = (await this.#update()) ? await this.#changing(args) : ran;
    if (again.status !== 0) throw new TandemError('missing-program', `apt-get install ${packages.join(' ')} failed:\n${again.output}`);
  }

  /** Unpacks a package into `target` without installing it: none of its scripts run, no service appears. Needs no rights. */
  async unpack(name: string, target: string): Promise<void> {
    const draft = await mkdtemp(`${target}.draft-`);
    try {
      let ran = await download(name, draft);
      if (ran.status !== 0 && (await this.#update())) ran = await download(name, draft);
      const deb = (await readdir(draft)).find((file) => file.endsWith('.deb'));
      if (deb === undefined) throw new TandemError('missing-program', `apt-get download ${name} failed:\n${ran.output}`);
      const content = path.join(draft, 'content');
      const unpacked = await run('dpkg', ['-x', path.join(draft, deb), content], { deadlineMs: INSTALL_DEADLINE_MS });
      if (unpacked.status !== 0) throw new TandemError('missing-program', `cannot unpack ${deb}:\n${unpacked.output}`);
      await rm(target, { recursive: true, force: true });
      await rename(content, target);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  async #offered(names: readonly string[]): Promise<string | null> {
    for (const name of names) {
      const { output } = await run('apt-cache', ['policy', name], { deadlineMs: QUERY_DEADLINE_MS });
      if (/Candidate: (?!\(none\))/.test(output)) return name;
    }
    return null;
  }

  /** True when the lists were refreshed just now. */
  async #update(): Promise<boolean> {
    if (this.#updated || (await this.rights()) === null) return false;
    this.#updated = true;
    this.#say('refreshing the package lists (apt-get update)');
    const ran = await this.#changing(['update', '-q']);
    return ran.status === 0;
  }

  /** Now and then a line of what apt is at: it has three for each of a hundred packages. */
  #progress(): (line: string) => void {
    let lastMs = 0;
    return (line) => {
      if (!WORTH_SHOWING.test(line) || performance.now() - lastMs < SHOW_EVERY_MS) return;
      lastMs = performance.now();
      this.#say(`  ${line.slice(0, 70)}`);
    };
  }

  async #changing(args: readonly string[]): Promise<Ran> {
    const rights = await this.rights();
    if (rights === null) return { status: 126, output: 'not root, and sudo asks for a password' };
    // Through env, because sudo drops the environment it is called in.
    const [command = 'apt-get', ...rest] = [...rights, 'env', `DEBIAN_FRONTEND=${ENV.DEBIAN_FRONTEND}`, 'apt-get', ...args];
    return run(command, rest, { deadlineMs: INSTALL_DEADLINE_MS, onLine: this.#progress() });
  }
}

function download(name: string, cwd: string): Promise<Ran> {
  // The sandbox user of apt cannot write into a private directory, and warns about it at length.
  const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
  return run('apt-get', ['download', '-q', ...sandbox, name], { cwd, env: ENV, deadlineMs: UPDATE_DEADLINE_MS });
}

async function findRights(): Promise<readonly string[] | null> {
  if (process.getuid?.() === 0) return [];
  const sudo = onPath('sudo');
  if (sudo === null) return null;
  const { status } = await run(sudo, ['-n', 'true'], { deadlineMs: QUERY_DEADLINE_MS });
  return status === 0 ? [sudo, '-n'] : null;
}
