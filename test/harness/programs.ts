/** Where test servers find their programs: the same places as the local stack, nothing installed on the way. */
import { stateDir } from '../../deploy/local/state-dir.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';

export function testCache(): string {
  return stateDir().cache;
}

/** Throws missing-program, saying how to get it. */
export function found<T>(name: string, program: T | null): T {
  if (program !== null) return program;
  throw new TandemError('missing-program', `${name} is not here: run ./tandem test once, it fetches what the tests need`);
}
