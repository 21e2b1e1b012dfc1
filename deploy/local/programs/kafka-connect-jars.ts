/**
 * Brings a Kafka Connect worker with Debezium's connectors from Maven Central into the cache, by the pom.xml in ../kafka-connect.
 *
 * Only the conformance suite of Debezium and `tandem bench cdc` want it, so it never fails a command: where it cannot be had that is
 * said in one line, and those who need it say that they were left out.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { Say } from '../console.ts';
import { fetchJars } from './kafka-jars.ts';
import { locateJava, onPath } from './locate.ts';
import type { Env } from './locate.ts';

export const DEBEZIUM_VERSION = '3.5.0.Final';
const POM = path.join(import.meta.dirname, '..', 'kafka-connect', 'pom.xml');

/** A directory with the jars of Connect, Debezium's sources and its JDBC sink; null where they are not in the cache. */
export function locateKafkaConnect(cache: string): string | null {
  const dir = cachedKafkaConnect(cache);
  return existsSync(dir) ? dir : null;
}

/** Fetches the jars unless they are there. Never throws for want of them. */
export async function ensureKafkaConnect({ cache, say, env = process.env }: { readonly cache: string; readonly say: Say; readonly env?: Env }): Promise<void> {
  if (locateKafkaConnect(cache) !== null) return;
  const [mvn, java] = [onPath('mvn', env), await locateJava(env)];
  if (mvn === null || java === null) {
    say('Debezium is left out: fetching it needs Maven (mvn) and Java, and one is not here');
    return;
  }
  say(`fetching Kafka Connect with Debezium ${DEBEZIUM_VERSION} from Maven Central (once; about 130 MB)`);
  try {
    await fetchJars({ what: `Debezium ${DEBEZIUM_VERSION}`, pom: POM, mvn, java, target: cachedKafkaConnect(cache), landmark: `debezium-connector-jdbc-${DEBEZIUM_VERSION}.jar` });
  } catch (e) {
    if (!isTandemError(e, 'missing-program')) throw e;
    say(`Debezium is left out: ${e.message.split('\n', 1)[0]}`);
  }
}

function cachedKafkaConnect(cache: string): string {
  return path.join(cache, `kafka-connect-${DEBEZIUM_VERSION}`);
}
