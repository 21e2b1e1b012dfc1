/**
 * How long to wait before a crashed process is started again: twice as long each time, until it has run well for a while.
 */
export const BACK_OFF_MIN_MS = 250;
export const BACK_OFF_MAX_MS = 10_000;
/** A process that ran this long is well again: its next crash is its first. */
export const STABLE_AFTER_MS = 30_000;

export interface BackOffLimits {
  readonly minMs: number;
  readonly maxMs: number;
  readonly stableAfterMs: number;
}

export const BACK_OFF: BackOffLimits = { minMs: BACK_OFF_MIN_MS, maxMs: BACK_OFF_MAX_MS, stableAfterMs: STABLE_AFTER_MS };

/** @param crashes in a row, this one included (1, 2, …) */
export function backOffMs(crashes: number, { minMs, maxMs }: BackOffLimits = BACK_OFF): number {
  return Math.min(maxMs, minMs * 2 ** (crashes - 1));
}
