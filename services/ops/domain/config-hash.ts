/**
 * One short hash of everything that must be the same in both regions: the regions themselves, the policies as this region
 * sees them in etcd, and the schema that its database has.
 *
 * Invariant: it does not depend on the order in which the parts were read.
 */
import { createHash } from 'node:crypto';

export interface ConfigParts {
  /** "east=1,west=2". */
  readonly regions: string;
  /** /tandem/config/<name> to its JSON text. */
  readonly policies: ReadonlyMap<string, string>;
  /** The migrations of the database with their checksums. */
  readonly migrations: readonly string[];
}

const HASH_CHARS = 16;

export function hashConfig({ regions, policies, migrations }: ConfigParts): string {
  const sorted = [...policies].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([regions, sorted, migrations.toSorted()]);
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_CHARS);
}
