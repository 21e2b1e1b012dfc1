/**
 * A setting that operators change while the processes run: JSON at /tandem/config/<name>.
 *
 * Invariant: current() is always a value that `parse` accepted, or the fallback; a bad one is logged and passed over,
 * and a key that is deleted brings the fallback back.
 */
import type { LogSink } from '../kernel/log-sink.ts';
import type { Etcd } from './etcd.ts';
import { parseJsonValue } from './json-value.ts';

export const POLICY_PREFIX = '/tandem/config/';

export interface Policy<T> {
  current(): T;
  stop(): void;
}

/** @param parse throws on a bad value. Resolves once the value of now is in; throws etcd-unavailable. */
export async function watchPolicy<T>(
  etcd: Etcd,
  name: string,
  parse: (raw: unknown) => T,
  fallback: T,
  { log }: { readonly log: LogSink },
): Promise<Policy<T>> {
  const key = `${POLICY_PREFIX}${name}`;
  let current = fallback;
  // Watching the key as a prefix also sees its longer namesakes; only the exact key counts.
  const watch = await etcd.watchPrefix(key, (snapshot) => {
    const text = snapshot.get(key);
    try {
      current = text === undefined ? fallback : parseJsonValue(key, text, parse);
    } catch (e) {
      log.error({ err: e, key }, 'etcd: a bad policy is passed over, the last good one stays');
    }
  });
  return { current: () => current, stop: () => watch.stop() };
}
