/**
 * The breakdown of a fare as it is stored with quotes, rides and fares: what pricing.proto documents.
 * Invariant: a breakdown that parsed has integer cents, its lines sum to the fare, and driver, commission and tax sum
 * to it as well: what is charged is what was shown. It computes no price.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export type BreakdownLine = { readonly kind: string; readonly label: string; readonly cents: number };
export type Breakdown = {
  readonly lines: readonly BreakdownLine[];
  readonly driverCents: number;
  readonly commissionCents: number;
  readonly taxCents: number;
  readonly fareCardVersion: number;
};

/**
 * Parses the JSON column (text, or already parsed) of a fare of `fareCents`. Throws conflict where it does not add up:
 * such a fare is not charged, a person looks at it.
 */
export function parseBreakdown(json: unknown, fareCents: number): Breakdown {
  const raw = (typeof json === 'string' ? parseJson(json) : json) as Partial<Record<keyof Breakdown, unknown>> | null;
  const lines = Array.isArray(raw?.lines) ? (raw.lines as BreakdownLine[]) : [];
  const { driverCents, commissionCents, taxCents, fareCardVersion } = raw ?? {};
  const shares = [driverCents, commissionCents, taxCents];
  if (!shares.every(isCents) || !Number.isSafeInteger(fareCardVersion) || !lines.every(isLine)) {
    throw new TandemError('conflict', 'the breakdown of the fare is malformed', { details: { breakdown: raw } });
  }
  const lineSum = lines.reduce((sum, line) => sum + line.cents, 0);
  const shareSum = (driverCents as number) + (commissionCents as number) + (taxCents as number);
  if (lineSum !== fareCents || shareSum !== fareCents) {
    throw new TandemError('conflict', `the breakdown does not add up: fare ${fareCents}, lines ${lineSum}, shares ${shareSum} cents`, {
      details: { fareCents, lineSum, shareSum },
    });
  }
  return { lines, driverCents, commissionCents, taxCents, fareCardVersion } as Breakdown;
}

function isCents(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isLine(line: unknown): boolean {
  const { kind, label, cents } = (line ?? {}) as Partial<BreakdownLine>;
  return typeof kind === 'string' && typeof label === 'string' && Number.isSafeInteger(cents);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
