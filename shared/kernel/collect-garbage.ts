/**
 * Collects garbage now. For the one place where it is known that tens of MiB have just become garbage: V8 would wait for
 * more of it, and a bound on a process's memory would be a matter of luck. It stops the process for some 10 ms.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
  }
  collect();
}
