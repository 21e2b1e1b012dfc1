/**
 * The health score of a region: one number out of 100, always with the four parts it is made of.
 *
 * Invariant: the score is the sum of the parts' points, and a part without data earns nothing: what nobody measured is not
 * healthy. Between "full" and "nothing" a part falls in a line, from the promise to the value at which people are paged.
 * Source of weights and full values: the design's table of promised numbers; of the zero values: its alert thresholds.
 */

export interface HealthFigures {
  /** p99 of the last minute, ms; null while unknown. */
  readonly lagMs: number | null;
  /** Share of API requests of the last minute that did not fail on our side, 0 to 1; null while unknown. */
  readonly successRate: number | null;
  /** Changes that wait in the peer's stream to be applied here; null while unknown. */
  readonly offsetGap: number | null;
  /** Whether both regions run on the same configuration; null while one of them cannot be asked. */
  readonly isConfigEqual: boolean | null;
}

export type PartName = 'lag' | 'success' | 'offsetGap' | 'config';

export interface ScorePart {
  readonly name: PartName;
  /** Points it can earn. */
  readonly weight: number;
  /** Points it earned, 0 to weight. */
  readonly points: number;
  /** What was measured: ms, share, count, or 1 for equal; null without data. */
  readonly value: number | null;
  /** From here the part is full … */
  readonly fullAt: number;
  /** … and from here it earns nothing. */
  readonly zeroAt: number;
}

export interface HealthScore {
  /** 0 to 100, one decimal. */
  readonly score: number;
  readonly parts: readonly ScorePart[];
}

/** Points, and where they end: lag from the RPO guard's 2 s to the page's 5 s; success from the promised 99.95 % to the alert's
 * 3 % of errors; the gap from 100 changes to ten times that; configurations are equal or not. */
const PARTS: readonly Omit<ScorePart, 'points' | 'value'>[] = [
  { name: 'lag', weight: 35, fullAt: 2_000, zeroAt: 5_000 },
  { name: 'success', weight: 30, fullAt: 0.9995, zeroAt: 0.97 },
  { name: 'offsetGap', weight: 25, fullAt: 100, zeroAt: 1_000 },
  { name: 'config', weight: 10, fullAt: 1, zeroAt: 0 },
];

export function scoreHealth(figures: HealthFigures): HealthScore {
  const valueOf: Record<PartName, number | null> = {
    lag: figures.lagMs,
    success: figures.successRate,
    offsetGap: figures.offsetGap,
    config: figures.isConfigEqual === null ? null : Number(figures.isConfigEqual),
  };
  const parts = PARTS.map((part) => {
    const value = valueOf[part.name];
    return { ...part, value, points: round(part.weight * shareEarned(value, part)) };
  });
  return { score: round(parts.reduce((sum, part) => sum + part.points, 0)), parts };
}

/** 1 at fullAt and better, 0 at zeroAt and worse, a line between; works for "less is better" and "more is better". */
function shareEarned(value: number | null, { fullAt, zeroAt }: Pick<ScorePart, 'fullAt' | 'zeroAt'>): number {
  if (value === null || Number.isNaN(value)) return 0;
  return Math.min(1, Math.max(0, (value - zeroAt) / (fullAt - zeroAt)));
}

function round(points: number): number {
  return Math.round(points * 10) / 10;
}
