import type { LogSink } from '../kernel/log-sink.ts';
import type { Etcd } from './etcd.ts';

export interface Policy<T> {
  current(): T;
  stop(): void;
}

/** `name` names the key /tandem/config/<name>; `parse` throws on a bad value. Resolves once the first snapshot is in. */
export async function watchPolicy<T>(
  _etcd: Etcd,
  _name: string,
  _parse: (raw: unknown) => T,
  _fallback: T,
  _options: { readonly log: LogSink },
): Promise<Policy<T>> {
  throw new Error('under way');
}
