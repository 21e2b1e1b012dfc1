/**
 * How many times faster than real time the world runs: the `speedFactor` of dispatch's policy, /tandem/config/dispatch.
 * Location reads this one field of it, for what counts as a jump; the rest of that policy is not its business.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export const POLICY_NAME = 'dispatch';
export const REAL_TIME = 1;

/** Throws config-invalid for a factor that is not a positive number. Below 1, cars are still believed at full speed. */
export function parseWorldSpeed(raw: unknown): number {
  const factor = (raw as { speedFactor?: unknown } | null)?.speedFactor ?? REAL_TIME;
  if (typeof factor !== 'number' || !(factor > 0) || !Number.isFinite(factor)) {
    throw new TandemError('config-invalid', `speedFactor must be a number above 0, not ${JSON.stringify(factor)}`);
  }
  return Math.max(REAL_TIME, factor);
}
