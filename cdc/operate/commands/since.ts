/** A point in the past, as people type it: 90s, 30m, 2h, 7d, or a time in RFC 3339. Pure. */
import { badUsage } from './answer.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** ms since 1970. Throws usage-invalid. */
export function parseSince(text: string, nowMs: number): number {
  const { n, unit } = /^(?<n>\d{1,6})(?<unit>[smhd])$/.exec(text)?.groups ?? {};
  if (n !== undefined && unit !== undefined) return nowMs - Number(n) * (UNIT_MS[unit] ?? 0);
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw badUsage(`--since ${text}: say how long ago (90s, 30m, 2h, 7d) or a time (2026-11-21T08:00:00Z)`);
  return ms;
}
