/**
 * Brings Kafka's jars from Maven Central into the cache, by the pom.xml beside this folder.
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

/** Throws missing-program with Maven's last words. Two at once are safe: the first rename wins. */
export async function fetchKafkaJars(options: { mvn: string; java: string; cache: string }): Promise<void> {
  const target = cachedKafkaJars(options.cache);
  await mkdir(options.cache, { recursive: true });
  const draft = await mkdtemp(`${target}.draft-`);
  try {
    const args = ['-B', '-q', '-ntp', '-f', POM, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${draft}`];
    const javaHome = path.dirname(path.dirname(options.java));
    const ran = await run(options.mvn, args, { deadlineMs: FETCH_DEADLINE_MS, env: { JAVA_HOME: javaHome } });
    if (ran.status !== 0 || !existsSync(path.join(draft, `kafka_2.13-${KAFKA_VERSION}.jar`))) {
      throw new TandemError('missing-program', `Maven could not fetch Kafka ${KAFKA_VERSION} (status ${ran.status}); check the network, then run this again.\n${ran.output}`);
    }
    await rename(draft, target).catch((e: unknown) => {
      if (!existsSync(target)) throw e;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
