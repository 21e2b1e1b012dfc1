/**
 * What may change while dispatch runs: /tandem/config/dispatch, JSON.
 *
 * Invariant: a policy in force is valid in every field; a bad one is refused whole, with every bad field named. A field
 * that is absent has its default. Limits that protect the process itself are constants where they are used, not policy.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';

export type DispatchPolicy = {
  /** Divides every duration of the world (driving, waiting, detours), never prices, offers or quotes. */
  readonly speedFactor: number;
  /** From booking to the latest pick-up. */
  readonly waitLimitS: number;
  /** On top of the rider's own direct ride. */
  readonly detourLimitS: number;
  readonly offerTtlS: number;
  readonly quoteTtlS: number;
  /** Nearest drivers looked at for one ride. */
  readonly candidates: number;
  /** Pause between two searches for one ride. */
  readonly dispatchEveryMs: number;
  readonly averageSpeedKmph: number;
  /** Metres of street for one metre as the crow flies. */
  readonly streetFactor: number;
};

type Field = { readonly fallback: number; readonly min: number; readonly max: number; readonly whole?: true };

/** Source of the numbers: wait and detour limits are those of the Manhattan baselines; the rest is set by trial. */
const FIELDS: Readonly<Record<keyof DispatchPolicy, Field>> = {
  speedFactor: { fallback: 1, min: 0.1, max: 1000 },
  waitLimitS: { fallback: 300, min: 1, max: 86_400 },
  detourLimitS: { fallback: 600, min: 0, max: 86_400 },
  offerTtlS: { fallback: 15, min: 1, max: 600 },
  quoteTtlS: { fallback: 120, min: 1, max: 3600 },
  candidates: { fallback: 20, min: 1, max: 200, whole: true },
  dispatchEveryMs: { fallback: 500, min: 50, max: 60_000, whole: true },
  averageSpeedKmph: { fallback: 24, min: 1, max: 200 },
  streetFactor: { fallback: 1.3, min: 1, max: 5 },
};

export const DEFAULT_POLICY: DispatchPolicy = parsePolicy({});

/** Throws config-invalid, one line for each bad or unknown field (details.problems the same lines). */
export function parsePolicy(raw: unknown): DispatchPolicy {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw invalid(['the policy is not a JSON object']);
  const given = raw as Readonly<Record<string, unknown>>;
  const problems = Object.keys(given).filter((name) => !Object.hasOwn(FIELDS, name)).map((name) => `${name}: unknown field`);
  const policy: Record<string, number> = {};
  for (const [name, field] of Object.entries(FIELDS)) {
    const value = given[name] ?? field.fallback;
    if (!isWithin(value, field)) problems.push(`${name}: expected ${describe(field)}, got ${JSON.stringify(value)}`);
    else policy[name] = value;
  }
  if (problems.length > 0) throw invalid(problems);
  return policy as DispatchPolicy;
}

function isWithin(value: unknown, { min, max, whole }: Field): value is number {
  return typeof value === 'number' && value >= min && value <= max && (whole === undefined || Number.isInteger(value));
}

function describe({ min, max, whole }: Field): string {
  return `a ${whole === undefined ? '' : 'whole '}number from ${min} to ${max}`;
}

function invalid(problems: readonly string[]): TandemError {
  return new TandemError('config-invalid', `/tandem/config/dispatch: ${problems.join('\n')}`, { details: { problems } });
}
