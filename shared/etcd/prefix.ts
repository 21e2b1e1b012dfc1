/**
 * Key ranges: all keys that begin with a prefix.
 *
 * Keys and values are UTF-8 text throughout Tandem; binary ones are out of scope.
 */
import { assert } from '../kernel/assert.ts';
import type { EtcdValue } from './etcd.ts';
import type { Members } from './members.ts';

/** The listing is one answer; etcd's own limit for a message to the client is far above this many small keys. */
const KEYS_MAX = 10_000;

/** The first key after all keys that begin with `prefix`. */
export function prefixEnd(prefix: string): Buffer {
  assert(prefix.length > 0, 'an empty prefix would take in the keys of everybody');
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  // UTF-8 never holds 0xff, so the last byte can always be counted up.
  end[last] = (end[last] as number) + 1;
  return end;
}

/** A linearizable read of all keys under `prefix`, and the revision at which they were read. */
export async function listPrefix(
  members: Members, prefix: string, deadlineMs: number,
): Promise<{ entries: Map<string, EtcdValue>; revision: bigint }> {
  const { kvs, header, more } = await members.call(`list ${prefix}`, deadlineMs, ({ client, options }) => client.kv.range(
    { key: Buffer.from(prefix), range_end: prefixEnd(prefix), limit: KEYS_MAX }, options,
  ));
  assert(!more, `more than ${KEYS_MAX} keys under ${prefix}`);
  const entries = new Map(kvs.map((kv) => [kv.key.toString(), { value: kv.value.toString(), modRevision: BigInt(kv.mod_revision) }]));
  return { entries, revision: BigInt(header.revision) };
}
