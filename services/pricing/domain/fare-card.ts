/**
 * A fare card: the prices of one market as data, versioned and effective-dated.
 * Invariant: a card that parsed can price any ride without a negative fare or a pooled fare above the solo one.
 * It computes no fare (fare.ts) and reads no table (store/fare-cards.ts).
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export type FareCard = {
  readonly version: number;
  readonly effectiveFromMs: number;
  readonly currency: string;
  readonly baseCents: number;
  readonly perKmCents: number;
  readonly perMinuteCents: number;
  /** The least a one-seat solo ride costs before tax. */
  readonly minimumCents: number;
  /** Each seat after the first adds this share of the one-seat price. */
  readonly extraSeatPermille: number;
  /** What a pooled ride is cheaper by than the solo one. */
  readonly poolingDiscountPermille: number;
  /** Sales tax on the price after discounts. */
  readonly taxPermille: number;
  /** What Tandem keeps of the price before tax; the driver has the rest. */
  readonly commissionPermille: number;
};

/** Field → the largest value a sane card may hold. All fields are integers from 0. */
const LIMITS = {
  baseCents: 10_000,
  perKmCents: 10_000,
  perMinuteCents: 10_000,
  minimumCents: 100_000,
  extraSeatPermille: 1_000,
  poolingDiscountPermille: 1_000,
  taxPermille: 1_000,
  commissionPermille: 1_000,
} as const;

/**
 * Validates one row of fare_cards; `body` is its JSON column, as text or parsed. Unknown fields are ignored, so that an
 * older process still reads a newer card's common part. Throws validation-failed that lists every bad field.
 */
export function parseFareCard(row: { version: number; effectiveFromMs: number; body: unknown }): FareCard {
  const body = parseBody(row.body);
  const faults: string[] = [];
  const amounts: Record<string, number> = {};
  for (const [field, max] of Object.entries(LIMITS)) {
    const value = body[field];
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) amounts[field] = value;
    else faults.push(`${field} must be an integer from 0 to ${max}`);
  }
  const currency = body['currency'];
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) faults.push('currency must be an ISO 4217 code');
  if (faults.length > 0) {
    throw new TandemError('validation-failed', `fare card ${row.version}: ${faults.join('; ')}`);
  }
  return {
    version: row.version,
    effectiveFromMs: row.effectiveFromMs,
    currency: currency as string,
    ...(amounts as Record<keyof typeof LIMITS, number>),
  };
}

/** The newest card effective at `atMs`: latest effective date, then highest version; undefined where none is. */
export function pickCard(cards: readonly FareCard[], atMs: number): FareCard | undefined {
  let best: FareCard | undefined;
  for (const card of cards) {
    if (card.effectiveFromMs > atMs) continue;
    const isNewer = best === undefined || card.effectiveFromMs > best.effectiveFromMs
      || (card.effectiveFromMs === best.effectiveFromMs && card.version > best.version);
    if (isNewer) best = card;
  }
  return best;
}

function parseBody(body: unknown): Record<string, unknown> {
  let parsed = body;
  if (typeof body === 'string') {
    try {
      parsed = JSON.parse(body);
    } catch (cause) {
      throw new TandemError('validation-failed', 'a fare card body is not JSON', { cause });
    }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new TandemError('validation-failed', 'a fare card body must be a JSON object');
  }
  return parsed as Record<string, unknown>;
}
