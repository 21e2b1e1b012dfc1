/** Which programs the local stack takes, and from where; with stand-ins in a temp directory, nothing is installed. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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
