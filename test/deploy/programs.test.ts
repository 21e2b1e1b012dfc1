/** Which programs the local stack takes, and from where; with stand-ins in a temp directory, nothing is installed. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { databaseEngines, fetchMysql, isWanted } from '../../deploy/local/programs/database-engines.ts';
import { javaPackages } from '../../deploy/local/programs/ensure.ts';
import { cachedKafkaJars, locateKafkaJars, locateMysql, onPath } from '../../deploy/local/programs/locate.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'tandem-programs-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function program(name: string, script: string): Promise<string> {
  const file = path.join(dir, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

describe('the database server', () => {
  test.each([
    ['mariadbd  Ver 10.11.14-MariaDB-0+deb12u2 for debian-linux-gnu on x86_64', { engine: 'mariadb', version: '10.11.14' }],
    ['/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))', { engine: 'mysql', version: '9.7.4' }],
    ['mysqld  Ver 8.4.6 for Linux on x86_64 (MySQL Community Server - GPL)', { engine: 'mysql', version: '8.4.6' }],
  ])('is told by its own words: %s', async (words, expected) => {
    const mysqld = await program('mysqld', `echo "${words}"`);
    expect(await locateMysql({ TANDEM_MYSQLD: mysqld, PATH: '' })).toEqual({ mysqld, ...expected });
  });

  test('named in TANDEM_MYSQLD but not runnable is an error, not a reason to take another', async () => {
    await expect(locateMysql({ TANDEM_MYSQLD: path.join(dir, 'none'), PATH: process.env.PATH })).rejects.toThrow(/none does not run/);
  });
});

test('a program on PATH must be an executable file', async () => {
  await writeFile(path.join(dir, 'tandem-plain'), '');
  await mkdir(path.join(dir, 'tandem-dir'));
  const real = await program('tandem-real', '');
  expect(['tandem-plain', 'tandem-dir', 'tandem-real'].map((name) => onPath(name, { PATH: dir }))).toEqual([null, null, real]);
});

test('a half-done download of Kafka does not count', async () => {
  await mkdir(`${cachedKafkaJars(dir)}.draft-abc`);
  expect(locateKafkaJars(dir)).toBeNull();
});

test('Java 17 is asked for first, then the newest the distribution has', () => {
  const offered = ['openjdk-11-jre-headless', 'openjdk-21-jre-headless', 'openjdk-25-jre-headless'];
  expect(javaPackages(offered)).toEqual(['openjdk-17-jre-headless', 'openjdk-25-jre-headless', 'openjdk-21-jre-headless', 'default-jre-headless']);
});

const fetchWith = async (script: string): Promise<{ fetched: boolean; said: string[] }> => {
  const said: string[] = [];
  return { fetched: await fetchMysql({ tool: await program('get', script), cache: dir, say: (line) => said.push(line) }), said };
};

describe('a real MySQL for the tests', () => {
  const SERVER = 'mkdir -p "$1"; printf "#!/bin/sh\\necho Ver 9.7.4 for Linux\\n" > "$1/mysqld"; chmod +x "$1/mysqld"';

  test('is fetched into the cache, where it is found', async () => {
    expect(await fetchWith(SERVER)).toMatchObject({ fetched: true, said: { length: 1 } });
    expect((await databaseEngines(dir, { PATH: '' })).get('mysql')).toMatchObject({ mysqld: path.join(dir, 'mysql', 'mysqld'), version: '9.7.4' });
  });

  test('that cannot be had is one line of why, and leaves nothing that looks like a server', async () => {
    const { fetched, said } = await fetchWith(`${SERVER}; echo "much ado" >&2; echo "get-mysql: no Debian mirror in /etc/apt" >&2; exit 1`);
    expect([fetched, said.length]).toEqual([false, 2]);
    expect(said[1]).toMatch(/go on without: get-mysql: no Debian mirror in \/etc\/apt$/);
    expect(existsSync(path.join(dir, 'mysql'))).toBe(false);
  });

  test('that no longer runs, because its directory was moved, is passed over and fetched anew', async () => {
    await mkdir(path.join(dir, 'mysql'));
    await program('mysql/mysqld', 'exit 127');
    expect([...(await databaseEngines(dir, { PATH: '' })).values()].map(({ mysqld }) => mysqld)).not.toContain(path.join(dir, 'mysql', 'mysqld'));
    expect(await fetchWith(`test -e "$1/mysqld" && exit 1; ${SERVER}`)).toMatchObject({ fetched: true });
  });

  test('that does not run is none', async () => {
    expect(await fetchWith('mkdir -p "$1"; printf "#!/bin/sh\\nexit 9\\n" > "$1/mysqld"; chmod +x "$1/mysqld"')).toMatchObject({ fetched: false });
    expect(existsSync(path.join(dir, 'mysql'))).toBe(false);
  });

  test('is not wanted where TANDEM_TEST_ENGINES leaves it out', () => {
    expect([{}, { TANDEM_TEST_ENGINES: 'mariadb' }, { TANDEM_TEST_ENGINES: 'mariadb,mysql' }].map((env) => isWanted('mysql', env))).toEqual([true, false, true]);
  });
});
