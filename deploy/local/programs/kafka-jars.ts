/**
 * Brings jars from Maven Central into the cache, named by a pom.xml: Kafka's by the one beside this folder.
 *
 * Invariant: a directory of jars under its final name is complete; a broken download leaves nothing that counts.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { KAFKA_VERSION, cachedKafkaJars } from './locate.ts';
import { run } from './run.ts';

const FETCH_DEADLINE_MS = 900_000;
const POM = path.join(import.meta.dirname, '..', 'kafka', 'pom.xml');

interface Fetch {
  /** For the error message. */
  readonly what: string;
  readonly pom: string;
  readonly mvn: string;
  readonly java: string;
  /** The directory that shall hold the jars. */
  readonly target: string;
  /** A jar without which the fetch counts as failed. */
  readonly landmark: string;
}

/** Throws missing-program with Maven's last words. */
export async function fetchKafkaJars({ mvn, java, cache }: { mvn: string; java: string; cache: string }): Promise<void> {
  await fetchJars({ what: `Kafka ${KAFKA_VERSION}`, pom: POM, mvn, java, target: cachedKafkaJars(cache), landmark: `kafka_2.13-${KAFKA_VERSION}.jar` });
}

/** Throws missing-program with Maven's last words. Two at once are safe: the first rename wins. */
export async function fetchJars({ what, pom, mvn, java, target, landmark }: Fetch): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  const draft = await mkdtemp(`${target}.draft-`);
  try {
    const args = ['-B', '-q', '-ntp', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${draft}`];
    const javaHome = path.dirname(path.dirname(java));
    const ran = await run(mvn, args, { deadlineMs: FETCH_DEADLINE_MS, env: { JAVA_HOME: javaHome } });
    if (ran.status !== 0 || !existsSync(path.join(draft, landmark))) {
      throw new TandemError('missing-program', `Maven could not fetch ${what} (status ${ran.status}); check the network, then run this again.\n${ran.output}`);
    }
    await rename(draft, target).catch((e: unknown) => {
      if (!existsSync(target)) throw e;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
