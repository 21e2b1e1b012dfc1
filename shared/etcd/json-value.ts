/** Reads the JSON text of an etcd key: a bad text becomes an error that names the key, never a crash of the reader. */
import { TandemError } from '../kernel/tandem-error.ts';

/** Throws validation-failed with the parser's error as cause. */
export function parseJsonValue<T>(key: string, text: string, parse: (raw: unknown) => T): T {
  try {
    return parse(JSON.parse(text));
  } catch (cause) {
    throw new TandemError('validation-failed', `etcd key ${key} holds no good value: ${String(cause)}`, { cause, details: { key } });
  }
}
